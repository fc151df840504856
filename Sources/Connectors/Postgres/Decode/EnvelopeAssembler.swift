import ConnectAPI

/// The second pass: builds the columns of a batch from stored tuples. What all rows share becomes a constant.
struct EnvelopeAssembler {
    let schema: TableSchema
    let store: TupleStore
    let origin: RowOrigin
    let rows: EnvelopeRows
    /// Set for snapshot rows; stream rows have "false".
    var snapshot: Column?

    func batch() -> (RecordBatch, failures: Int) {
        var context = DecodeContext(origin: origin)
        let n = rows.count
        let after = rowColumn(rows.after, &context)
        let before = rows.hasBefore ? rowColumn(rows.before, &context).column : Column.constant(.null, schema.row, count: n)
        let value = Column(
            schema.envelope, count: n,
            .struct([
                before, after.column, source(), transaction(), ops(),
                scaled(rows.processedNanos, by: 1_000_000, DebeziumSchemas.optionalInt64),
                scaled(rows.processedNanos, by: 1000, DebeziumSchemas.optionalInt64),
                scaled(rows.processedNanos, by: 1, DebeziumSchemas.optionalInt64),
            ]))
        let tombstones = rows.hasDeletes && rows.ops.contains(.tombstone) ? Bitmap(rows.ops.lazy.map { $0 == .tombstone }) : nil
        let key = schema.key.map { keyColumn($0, rows.key, sharing: rows.key == rows.after ? after.members : nil, &context) }
        let batch = RecordBatch(
            topic: schema.topic, count: n, key: key, value: tombstones.map { value.with(validity: !$0) } ?? value, tombstones: tombstones,
            timestamps: scaled(rows.processedNanos, by: 1_000_000, RecordBatch.timestampSchema),
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
        return store.withColumn(origin == .snapshot ? i : column.position, of: tuples) { view in
            column.decoder.decode(view, column.schema, filler: column.filler, &context)
        }
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
                .constant(.string(schema.source.name), text, count: n), scaled(rows.commitMicros, by: 1000, DebeziumSchemas.int64),
                snapshot ?? .constant("false", DebeziumSchemas.snapshot, count: n), .constant(.string(schema.source.database), text, count: n),
                sequence(), scaled(rows.commitMicros, by: 1, number), scaled(rows.commitMicros, by: 1, times: 1000, number),
                .constant(.string(schema.definition.schema), text, count: n), .constant(.string(schema.definition.name), text, count: n),
                transactionID(), lsn(), .constant(.null, number, count: n),
            ]))
    }

    /// `values / divisor * factor`, rounded down; a constant where all are equal.
    private func scaled(_ values: [Int64], by divisor: Int64, times factor: Int64 = 1, _ schema: Schema) -> Column {
        let first = values[0]
        func scale(_ value: Int64) -> Int64 { divisor == 1 ? value &* factor : value.flooredDivision(by: divisor).quotient &* factor }
        if values.allSatisfy({ $0 == first }) { return .constant(.integer(scale(first)), schema, count: values.count) }
        return Column(schema, count: values.count, .int64(values.map(scale)))
    }

    private func transactionID() -> Column {
        let first = rows.xid[0], schema = DebeziumSchemas.optionalInt64
        if rows.xid.allSatisfy({ $0 == first }) { return .constant(first < 0 ? .null : .integer(first), schema, count: rows.count) }
        let validity = rows.xid.contains(-1) ? Bitmap(rows.xid.lazy.map { $0 >= 0 }) : nil
        return Column(schema, count: rows.count, .int64(rows.xid), validity: validity)
    }

    private func lsn() -> Column {
        let first = rows.lsn[0], schema = DebeziumSchemas.optionalInt64
        if rows.lsn.allSatisfy({ $0 == first }) { return .constant(.integer(Int64(bitPattern: first)), schema, count: rows.count) }
        return Column(schema, count: rows.count, .int64(rows.lsn.map { Int64(bitPattern: $0) }))
    }

    /// `["<end of the last commit>","<lsn>"]`; null in place of a commit never seen.
    private func sequence() -> Column {
        if rows.lsn.allSatisfy({ $0 == rows.lsn[0] }), rows.lastCommit.allSatisfy({ $0 == rows.lastCommit[0] }) {
            let text = Self.sequence(lastCommit: rows.lastCommit[0] == 0 ? nil : rows.lastCommit[0], lsn: rows.lsn[0])
            return .constant(.string(text), DebeziumSchemas.optionalString, count: rows.count)
        }
        var out = VarBytes()
        out.offsets.reserveCapacity(rows.count + 1)
        out.bytes.reserveCapacity(rows.count * 32)
        var prefix: [UInt8] = [], prefixOf = UInt64.max
        for row in 0..<rows.count {
            if rows.lastCommit[row] != prefixOf {
                prefixOf = rows.lastCommit[row]
                prefix = Array((prefixOf == 0 ? "[null,\"" : "[\"\(prefixOf)\",\"").utf8)
            }
            out.bytes.append(contentsOf: prefix)
            ISO8601.appendDigits(rows.lsn[row], width: 1, to: &out.bytes)
            out.bytes.append(UInt8(ascii: "\""))
            out.bytes.append(UInt8(ascii: "]"))
            out.offsets.append(Int32(truncatingIfNeeded: out.bytes.count))
        }
        return Column(DebeziumSchemas.optionalString, count: rows.count, .utf8(out))
    }

    static func sequence(lastCommit: UInt64?, lsn: UInt64) -> String {
        lastCommit.map { "[\"\($0)\",\"\(lsn)\"]" } ?? "[null,\"\(lsn)\"]"
    }

    private func ops() -> Column {
        let letters = rows.ops.map(\.letter), first = letters[0]
        if letters.allSatisfy({ $0 == first }) {
            return .constant(.string(String(Character(Unicode.Scalar(first)))), DebeziumSchemas.string, count: rows.count)
        }
        return Column(
            DebeziumSchemas.string, count: rows.count, .utf8(VarBytes(offsets: (0...rows.count).map { Int32($0) }, bytes: letters)))
    }

    /// `{id, total_order, data_collection_order}` with `provide.transaction.metadata`, else null.
    private func transaction() -> Column {
        let block = DebeziumSchemas.transactionBlock, n = rows.count
        guard !rows.totalOrder.isEmpty else { return .constant(.null, block, count: n) }
        let ids = (0..<n).map { Value.string("\(max(0, rows.xid[$0])):\(rows.lsn[$0])") }
        let validity = rows.totalOrder.contains(0) ? Bitmap(rows.totalOrder.lazy.map { $0 != 0 }) : nil
        return Column(
            block, count: n,
            .struct([
                Column(DebeziumSchemas.string, ids), Column(DebeziumSchemas.int64, count: n, .int64(rows.totalOrder)),
                Column(DebeziumSchemas.int64, count: n, .int64(rows.collectionOrder)),
            ]), validity: validity)
    }
}
