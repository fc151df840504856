import ConnectAPI

/// Batches as Debezium's envelope of `transactions(id, account_id, txn_type, amount, related_account_id, status, created_at)`.
enum Transactions {
    static let topic = "bank.public.transactions"

    private static let row = Schema.struct(
        [
            .init("id", Schema(.int64)), .init("account_id", Schema(.int32)), .init("txn_type", Schema(.string)),
            .init("amount", Schema(.bytes, name: LogicalName.decimal, version: 1, parameters: [.init("scale", "2")])),
            .init("related_account_id", Schema(.int32, optional: true)), .init("status", Schema(.string)),
            .init("created_at", Schema(.string, name: LogicalName.zonedTimestamp, version: 1)),
        ], optional: true, name: "bank.public.transactions.Value")
    private static let source = Schema.struct(
        ["version", "connector", "name", "snapshot", "db", "sequence", "schema", "table"].map { .init($0, Schema(.string, optional: true)) }
            + ["ts_ms", "ts_us", "ts_ns", "txId", "lsn", "xmin"].map { .init($0, Schema(.int64, optional: true)) },
        name: "io.debezium.connector.postgresql.Source")
    private static let transaction = Schema.struct(
        [.init("id", Schema(.string)), .init("total_order", Schema(.int64)), .init("data_collection_order", Schema(.int64))], optional: true,
        name: "event.block")
    private static let envelope = Schema.struct(
        [
            .init("before", row), .init("after", row), .init("source", source), .init("transaction", transaction), .init("op", Schema(.string)),
            .init("ts_ms", Schema(.int64, optional: true)), .init("ts_us", Schema(.int64, optional: true)),
            .init("ts_ns", Schema(.int64, optional: true)),
        ], name: "bank.public.transactions.Envelope")
    private static let key = Schema.struct([.init("id", Schema(.int64))], name: "bank.public.transactions.Key")

    static func batch(from first: Int, rows: Int) -> RecordBatch {
        var seed = UInt64(first) &* 0x9E37_79B9_7F4A_7C15 | 1
        func random(_ n: UInt64) -> UInt64 {
            seed ^= seed << 13
            seed ^= seed >> 7
            seed ^= seed << 17
            return seed % n
        }
        func texts(_ choices: [String]) -> VarBytes {
            var out = VarBytes()
            for _ in 0..<rows { out.append(choices[Int(random(UInt64(choices.count)))].utf8) }
            return out
        }
        func column(_ schema: Schema, _ name: String, _ storage: Column.Storage, validity: Bitmap? = nil) -> Column {
            Column(schema.fields[schema.index(of: name)!].schema, count: rows, storage, validity: validity)
        }
        let ids = (0..<rows).map { Int64(first + $0) }, micros = ids.map { 1_700_000_000_000_000 + $0 * 137 }
        let sequence = ids.map { id in "[\"\(24_000_000 + id * 150)\",\"\(24_000_000 + id * 157)\"]" }
        var sequences = VarBytes()
        for text in sequence { sequences.append(text.utf8) }
        let after = Column(
            row, count: rows,
            .struct([
                column(row, "id", .int64(ids)), column(row, "account_id", .int32(ids.map { _ in Int32(random(100_000)) })),
                column(row, "txn_type", .utf8(texts(["deposit", "withdrawal", "transfer"]))),
                column(row, "amount", .decimal128(ids.map { _ in Int128(random(10_000_000)) })),
                column(
                    row, "related_account_id", .int32(ids.map { _ in Int32(random(100_000)) }),
                    validity: Bitmap(ids.map { _ in random(2) == 0 })),
                column(row, "status", .utf8(texts(["completed", "pending", "failed"]))),
                column(row, "created_at", .utcMicros(micros, fractionDigits: 6)),
            ]))
        func constant(_ schema: Schema, _ name: String, _ value: Value) -> Column { column(schema, name, .constant(value)) }
        let sources = Column(
            source, count: rows,
            .struct([
                constant(source, "version", "3.0.0.Final"), constant(source, "connector", "postgresql"), constant(source, "name", "bank"),
                constant(source, "snapshot", "false"), constant(source, "db", "bank"), column(source, "sequence", .utf8(sequences)),
                constant(source, "schema", "public"), constant(source, "table", "transactions"),
                column(source, "ts_ms", .int64(micros.map { $0 / 1000 })), column(source, "ts_us", .int64(micros)),
                column(source, "ts_ns", .int64(micros.map { $0 * 1000 })), column(source, "txId", .int64(ids.map { 700 + $0 / 100 })),
                column(source, "lsn", .int64(ids.map { 24_000_000 + $0 * 157 })), constant(source, "xmin", .null),
            ]))
        let now = Int64(1_700_000_100_000)
        let value = Column(
            envelope, count: rows,
            .struct([
                constant(envelope, "before", .null), after, sources, constant(envelope, "transaction", .null), constant(envelope, "op", "c"),
                constant(envelope, "ts_ms", .integer(now)), constant(envelope, "ts_us", .integer(now * 1000)),
                constant(envelope, "ts_ns", .integer(now * 1_000_000)),
            ]))
        let keys = Column(key, count: rows, .struct([Column(Schema(.int64), count: rows, .int64(ids))]))
        return RecordBatch(
            topic: topic, count: rows, key: keys, value: value,
            timestamps: .constant(.integer(now), RecordBatch.timestampSchema, count: rows))
    }
}
