extension TableSchema {
    /// Whether an update with a whole old row changed no column of the value: `skip.messages.without.change`.
    func isUnchanged(_ change: RowChange, in message: UnsafeRawBufferPointer) throws -> Bool {
        guard change.kind == .update, change.oldTuple >= 0 else { return false }
        do throws(MalformedMessage) {
            var old = ByteCursor(message, at: change.oldTuple), new = ByteCursor(message, at: change.newTuple)
            let width = Int(try old.int16())
            guard width == Int(try new.int16()) else { return false }
            var next = valueColumns.startIndex
            for position in 0..<width {
                let before = try Self.value(&old), after = try Self.value(&new)
                guard next < valueColumns.endIndex, columns[valueColumns[next]].position == position else { continue }
                next += 1
                // A TOAST value that was not sent is the same as before.
                if case .unchanged = after { continue }
                guard Self.same(before, after) else { return false }
            }
            return true
        } catch {
            throw error.located(in: "update of \(definition.schema).\(definition.name)")
        }
    }

    private enum Sent {
        case null, unchanged
        case value(UnsafeRawBufferPointer)
    }

    private static func value(_ cursor: inout ByteCursor) throws(MalformedMessage) -> Sent {
        switch try cursor.uint8() {
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "u"): return .unchanged
        default: return .value(try cursor.take(Int(try cursor.int32())))
        }
    }

    private static func same(_ a: Sent, _ b: Sent) -> Bool {
        switch (a, b) {
        case (.null, .null): true
        case (.value(let x), .value(let y)): x.elementsEqual(y)
        default: false
        }
    }
}
