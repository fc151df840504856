import ConnectAPI

/// The second pass: builds the columns of a batch from stored tuples. What all rows share becomes a constant.
struct EnvelopeAssembler {
    let schema: TableSchema
    let store: TupleStore
    let origin: RowOrigin
    let rows: EnvelopeRows
    /// Set for snapshot rows; stream rows have "false".
    var snapshot: Column?
    /// False: rows of an incremental snapshot, which are of no place of the log.
    var showsLSN = true

    func batch() -> (RecordBatch, failures: Int) {
        var context = DecodeContext(origin: origin, placeholder: schema.conversion.placeholderBytes)
        let n = rows.count, number = DebeziumSchemas.optionalInt64
        let afterTuples = rows.all.map(\.after)
        let after = rowColumn(afterTuples, &context)
        let before = rows.hasBefore ? rowColumn(rows.all.map(\.before), &context).column : Column.constant(.null, schema.row, count: n)
        let value = Column(
            schema.envelope, count: n,
            .struct([
                before, after.column, source(), transaction(), ops(),
                integers(number) { .integer($0.processedNanos.flooredDivision(by: 1_000_000).quotient) },
                integers(number) { .integer($0.processedNanos.flooredDivision(by: 1000).quotient) },
                integers(number) { .integer($0.processedNanos) },
            ]))
        let tombstones = rows.isPlain || !rows.all.contains { $0.op == .tombstone } ? nil : Bitmap(rows.all.lazy.map { $0.op == .tombstone })
        let key = schema.key.map { keySchema in
            // An insert's key is its row's: the columns are shared, not decoded again.
            if rows.isPlain { return keyColumn(keySchema, afterTuples, sharing: after.members, &context) }
            let tuples = rows.all.map(\.key)
            return keyColumn(keySchema, tuples, sharing: tuples == afterTuples ? after.members : nil, &context)
        }
        let batch = RecordBatch(
            topic: schema.topic, count: n, key: key, value: tombstones.map { value.with(validity: !$0) } ?? value, tombstones: tombstones,
            timestamps: integers(RecordBatch.timestampSchema) { .integer($0.processedNanos.flooredDivision(by: 1_000_000).quotient) },
            headers: keyChangeHeaders(&context) + schema.source.contextHeaders(count: n))
        return (batch, context.failures)
    }

    // MARK: - Rows and keys

    /// The row struct over these tuples, and its columns by their position in `schema.columns`. Tuple 0 is a null row.
    private func rowColumn(_ tuples: [Int32], _ context: inout DecodeContext) -> (column: Column, members: [Column?]) {
        var members: [Column?] = Array(repeating: nil, count: schema.columns.count)
        let children = schema.valueColumns.map { i in
            let column = decode(i, tuples, &context)
            members[i] = column
            return column
        }
        let validity = tuples.contains(0) ? Bitmap(tuples.lazy.map { $0 != 0 }) : nil
        return (Column(schema.row, count: tuples.count, .struct(children), validity: validity), members)
    }

    private func keyColumn(_ keySchema: Schema, _ tuples: [Int32], sharing members: [Column?]?, _ context: inout DecodeContext) -> Column {
        let children = schema.keyColumns.map { i in members?[i] ?? decode(i, tuples, &context) }
        return Column(keySchema, count: tuples.count, .struct(children))
    }

    private func decode(_ i: Int, _ tuples: [Int32], _ context: inout DecodeContext) -> Column {
        let column = schema.columns[i]
        let decoded = store.withColumn(origin == .snapshot ? i : column.position, of: tuples) { view in
            column.decoder.decode(view, column.schema, filler: column.filler, &context)
        }
        return column.mask.map { $0.apply(to: decoded, length: column.length) } ?? decoded
    }

    /// `__debezium.newkey` on the delete and the tombstone of a moved key, `__debezium.oldkey` on its create.
    private func keyChangeHeaders(_ context: inout DecodeContext) -> [HeaderColumn] {
        guard let keySchema = schema.key else { return [] }
        return [("__debezium.newkey", rows.newKeys), ("__debezium.oldkey", rows.oldKeys)].compactMap { name, changes in
            guard !changes.isEmpty else { return nil }
            var tuples = [Int32](repeating: 0, count: rows.count)
            for (row, tuple) in changes { tuples[row] = tuple }
            let values = keyColumn(keySchema, tuples, sharing: nil, &context)
            return HeaderColumn(name, values, present: Bitmap(tuples.lazy.map { $0 != 0 }))
        }
    }

    // MARK: - Source and envelope

    private func source() -> Column {
        let n = rows.count, text = DebeziumSchemas.string, number = DebeziumSchemas.optionalInt64
        return Column(
            DebeziumSchemas.source, count: n,
            .struct([
                .constant(.string(schema.source.version), text, count: n), .constant("postgresql", text, count: n),
                .constant(.string(schema.source.name), text, count: n),
                integers(DebeziumSchemas.int64) { .integer($0.commitMicros.flooredDivision(by: 1000).quotient) },
                snapshot ?? .constant("false", DebeziumSchemas.snapshot, count: n), .constant(.string(schema.source.database), text, count: n),
                sequence(), integers(number) { .integer($0.commitMicros) }, integers(number) { .integer($0.commitMicros &* 1000) },
                .constant(.string(schema.definition.schema), text, count: n), .constant(.string(schema.definition.name), text, count: n),
                integers(number) { $0.xid.map { .integer(Int64($0)) } ?? .null }, lsn(), .constant(.null, number, count: n),
            ]))
    }

    /// An integer that depends on the context only: computed once a context, a constant where they agree.
    private func integers(_ schema: Schema, _ value: (EnvelopeRows.Context) -> Value) -> Column {
        let values = rows.contexts.map(value)
        if values.allSatisfy({ $0 == values[0] }) { return .constant(values[0], schema, count: rows.count) }
        let plain = values.map { $0.integerValue ?? 0 }
        var validity: Bitmap?
        if values.contains(.null) { validity = Bitmap(rows.all.lazy.map { !values[Int($0.context)].isNull }) }
        return Column(schema, count: rows.count, .int64(rows.all.map { plain[Int($0.context)] }), validity: validity)
    }

    /// All rows have one LSN: a snapshot's.
    private var hasOneLSN: Bool { origin == .snapshot || rows.count == 1 }

    private func lsn() -> Column {
        let schema = DebeziumSchemas.optionalInt64
        guard showsLSN else { return .constant(.null, schema, count: rows.count) }
        if hasOneLSN { return .constant(.integer(Int64(bitPattern: rows.all[0].lsn)), schema, count: rows.count) }
        return Column(schema, count: rows.count, .int64(rows.all.map { Int64(bitPattern: $0.lsn) }))
    }

    /// `["<end of the last commit>","<lsn>"]`; null in place of a commit never seen.
    private func sequence() -> Column {
        let schema = DebeziumSchemas.optionalString
        if hasOneLSN {
            let text = Self.sequence(lastCommit: rows.contexts[0].lastCommitLSN, lsn: rows.all[0].lsn)
            return .constant(.string(text), schema, count: rows.count)
        }
        let prefixes = rows.contexts.map { Array(($0.lastCommitLSN.map { "[\"\($0)\",\"" } ?? "[null,\"").utf8) }
        let widest = prefixes.reduce(0) { max($0, $1.count) } + 22
        var offsets: [Int32] = [0]
        offsets.reserveCapacity(rows.count + 1)
        let bytes = [UInt8](unsafeUninitializedCapacity: widest * rows.count) { buffer, length in
            for row in rows.all {
                for byte in prefixes[Int(row.context)] {
                    buffer[length] = byte
                    length &+= 1
                }
                length &+= Self.writeDigits(row.lsn, UnsafeMutableBufferPointer(rebasing: buffer[length...]))
                buffer[length] = UInt8(ascii: "\"")
                buffer[length &+ 1] = UInt8(ascii: "]")
                length &+= 2
                offsets.append(Int32(truncatingIfNeeded: length))
            }
        }
        return Column(schema, count: rows.count, .utf8(VarBytes(offsets: offsets, bytes: bytes)))
    }

    @inline(__always)
    private static func writeDigits(_ value: UInt64, _ out: UnsafeMutableBufferPointer<UInt8>) -> Int {
        var width = 1, bound: UInt64 = 10
        while width < 20, value >= bound {
            width &+= 1
            let (next, overflow) = bound.multipliedReportingOverflow(by: 10)
            if overflow { break }
            bound = next
        }
        var rest = value, at = width
        while at > 0 {
            at &-= 1
            out[at] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        return width
    }

    static func sequence(lastCommit: UInt64?, lsn: UInt64) -> String {
        lastCommit.map { "[\"\($0)\",\"\(lsn)\"]" } ?? "[null,\"\(lsn)\"]"
    }

    private func ops() -> Column {
        let first = rows.all[0].op.letter
        if rows.all.allSatisfy({ $0.op.letter == first }) {
            return .constant(.string(String(Character(Unicode.Scalar(first)))), DebeziumSchemas.string, count: rows.count)
        }
        let letters = rows.all.map(\.op.letter)
        return Column(
            DebeziumSchemas.string, count: rows.count, .utf8(VarBytes(offsets: (0...rows.count).map { Int32($0) }, bytes: letters)))
    }

    /// `{id, total_order, data_collection_order}` with `provide.transaction.metadata`, else null.
    private func transaction() -> Column {
        let block = DebeziumSchemas.transactionBlock, n = rows.count
        guard !rows.totalOrder.isEmpty else { return .constant(.null, block, count: n) }
        let ids = rows.all.map { Value.string("\(rows.contexts[Int($0.context)].xid ?? 0):\($0.lsn)") }
        let validity = rows.totalOrder.contains(0) ? Bitmap(rows.totalOrder.lazy.map { $0 != 0 }) : nil
        return Column(
            block, count: n,
            .struct([
                Column(DebeziumSchemas.string, ids), Column(DebeziumSchemas.int64, count: n, .int64(rows.totalOrder)),
                Column(DebeziumSchemas.int64, count: n, .int64(rows.collectionOrder)),
            ]), validity: validity)
    }
}
