/// Judges changes of a table whose snapshot was finished after a crash: its units were read at different LSNs.
///
/// A change is dropped if its transaction committed before its row's unit was read, and emitted otherwise. An update that moves a row between
/// units is a delete in one and a create in the other, each judged by its own unit.
struct LaterUnits {
    private var wholeTable: UInt64 = 0
    private var ranges: [(range: KeyRange, lsn: UInt64)] = []
    private var keyPosition = 0

    init(_ ledger: SnapshotLedger, _ relation: RelationMessage, _ schema: TableSchema?) {
        guard !ledger.isEmpty, let definition = schema?.definition else { return }
        let name = "\(relation.schema).\(relation.name)"
        wholeTable = ledger.units[name] ?? 0
        if let key = definition.keyColumns.first {
            ranges = ledger.ranges(of: name)
            keyPosition = key
        }
    }

    var isEmpty: Bool { wholeTable == 0 && ranges.isEmpty }

    func holdWholeTable(at finalLSN: UInt64) -> Bool { finalLSN < wholeTable }

    func part(of change: RowChange, in message: UnsafeRawBufferPointer, finalLSN: UInt64) throws -> ChangePart {
        if finalLSN < wholeTable { return .none }
        guard !ranges.isEmpty else { return .whole }
        let new = change.newTuple >= 0 ? try isKnown(message, change.newTuple, finalLSN) : nil
        let old = change.oldTuple >= 0 ? try isKnown(message, change.oldTuple, finalLSN) : nil
        switch (old, new) {
        case (let old?, let new?) where old != new: return old ? .create : .delete
        default: return new ?? old ?? false ? .none : .whole
        }
    }

    /// Whether the unit of the tuple's row was read after the transaction; nil: the tuple does not have the key.
    private func isKnown(_ message: UnsafeRawBufferPointer, _ tuple: Int, _ finalLSN: UInt64) throws -> Bool? {
        do throws(MalformedMessage) {
            guard let key = try Self.integer(message, tuple, keyPosition) else { return nil }
            return ranges.contains { $0.range.contains(key) && finalLSN < $0.lsn }
        } catch {
            throw error.located(in: "key of a change")
        }
    }

    /// The integer in a column of a pgoutput tuple, in text or binary; nil: null or not sent.
    static func integer(_ message: UnsafeRawBufferPointer, _ tuple: Int, _ column: Int) throws(MalformedMessage) -> Int64? {
        var cursor = ByteCursor(message, at: tuple)
        guard column < Int(try cursor.int16()) else { return nil }
        for position in 0...column {
            let kind = try cursor.uint8()
            guard kind == UInt8(ascii: "t") || kind == UInt8(ascii: "b") else {
                if position == column { return nil }
                continue
            }
            let value = try cursor.take(Int(try cursor.int32()))
            guard position == column else { continue }
            if kind == UInt8(ascii: "t") { return Int64(String(decoding: value, as: UTF8.self)) }
            switch value.count {
            case 2: return Int64(Int16(bigEndian: value.loadUnaligned(as: Int16.self)))
            case 4: return Int64(Int32(bigEndian: value.loadUnaligned(as: Int32.self)))
            case 8: return Int64(bigEndian: value.loadUnaligned(as: Int64.self))
            default: return nil
            }
        }
        return nil
    }
}

/// What of a change is wanted.
enum ChangePart {
    case whole, none
    /// Of an update: only that the old row is gone, or only that the new one is there.
    case delete, create
}
