import ConnectAPI

/// Records that are not rows of a table: logical messages, heartbeats and transaction boundaries.
///
/// They are rare, so they are built from values; schemas and field order are those of Debezium 3.3.1.
struct ControlRecords: Sendable {
    let source: SourceIdentity
    let conversion: ValueConversion

    init(source: SourceIdentity, conversion: ValueConversion) {
        self.source = source
        self.conversion = conversion
    }

    // MARK: - pg_logical_emit_message

    private static let messageKey = Schema.struct(
        [.init("prefix", DebeziumSchemas.optionalString)], name: "io.debezium.connector.postgresql.MessageKey", version: 1)

    private static func messageValue(_ content: Schema) -> Schema {
        .struct(
            [
                .init("op", DebeziumSchemas.string), .init("ts_ms", DebeziumSchemas.optionalInt64), .init("source", DebeziumSchemas.source),
                .init("transaction", DebeziumSchemas.transactionBlock),
                .init(
                    "message",
                    .struct(
                        [.init("prefix", DebeziumSchemas.optionalString), .init("content", content)],
                        name: "io.debezium.connector.postgresql.Message", version: 1)),
            ], name: "io.debezium.connector.postgresql.MessageValue", version: 1)
    }

    private static let bytesMessage = messageValue(DebeziumSchemas.optionalBytes)
    private static let textMessage = messageValue(DebeziumSchemas.optionalString)

    /// Messages for the topic `<topic.prefix>.message`, in order. A message outside a transaction has no xid in its `ChangeInfo`.
    func messages(_ messages: [(LogicalMessage, ChangeInfo)], topic: String) -> RecordBatch {
        let schema = conversion.binary == .bytes ? Self.bytesMessage : Self.textMessage
        let values = messages.map { message, info in
            Value.struct([
                "m", .integer(info.processedNanos.flooredDivision(by: 1_000_000).quotient), sourceValue(info), transactionValue(info),
                .struct([.string(message.prefix), conversion.binary.value(message.content)]),
            ])
        }
        return batch(
            topic, Self.messageKey, messages.map { .struct([.string($0.0.prefix)]) }, schema, values,
            nanos: messages.map { $0.1.processedNanos })
    }

    private func sourceValue(_ info: ChangeInfo) -> Value {
        .struct([
            .string(source.version), "postgresql", .string(source.name), .integer(info.commitMicros.flooredDivision(by: 1000).quotient), "false",
            .string(source.database), .string(EnvelopeAssembler.sequence(lastCommit: info.lastCommitLSN, lsn: info.lsn)),
            .integer(info.commitMicros), .integer(info.commitMicros &* 1000), "", "", info.xid.map { .integer(Int64($0)) } ?? .null,
            .integer(Int64(bitPattern: info.lsn)), .null,
        ])
    }

    private func transactionValue(_ info: ChangeInfo) -> Value {
        guard info.totalOrder != 0, let xid = info.xid else { return .null }
        return .struct([.string("\(xid):\(info.lsn)"), .integer(info.totalOrder), .integer(info.collectionOrder)])
    }

    // MARK: - Heartbeats

    private static let heartbeatKey = Schema.struct(
        [.init("serverName", DebeziumSchemas.string)], name: "io.debezium.connector.common.ServerNameKey", version: 1)
    private static let heartbeatValue = Schema.struct(
        [.init("ts_ms", DebeziumSchemas.int64)], name: "io.debezium.connector.common.Heartbeat", version: 1)

    /// One heartbeat for the topic `<topic.heartbeat.prefix>.<topic.prefix>`.
    func heartbeat(topic: String, nowNanos: Int64) -> RecordBatch {
        batch(
            topic, Self.heartbeatKey, [.struct([.string(source.name)])], Self.heartbeatValue,
            [.struct([.integer(nowNanos.flooredDivision(by: 1_000_000).quotient)])], nanos: [nowNanos])
    }

    // MARK: - Notifications

    private static let notificationKey = Schema.struct(
        [.init("id", DebeziumSchemas.string)], name: "io.debezium.connector.common.NotificationKey", version: 1)
    private static let notificationValue = Schema.struct(
        [
            .init("id", DebeziumSchemas.string), .init("aggregate_type", DebeziumSchemas.string), .init("type", DebeziumSchemas.string),
            .init("additional_data", .map(DebeziumSchemas.string, DebeziumSchemas.string, optional: true)), .init("timestamp", DebeziumSchemas.int64),
        ], name: "io.debezium.connector.common.Notification", version: 1)

    /// One notification for the topic `notification.sink.topic.name`.
    func notification(topic: String, id: String, aggregate: String, type: String, data: [(String, String)], nowNanos: Int64) -> RecordBatch {
        let milliseconds = nowNanos.flooredDivision(by: 1_000_000).quotient
        let value = Value.struct([
            .string(id), .string(aggregate), .string(type), .map(data.map { .init(.string($0.0), .string($0.1)) }), .integer(milliseconds),
        ])
        return batch(topic, Self.notificationKey, [.struct([.string(id)])], Self.notificationValue, [value], nanos: [nowNanos])
    }

    // MARK: - Transaction metadata

    /// `BEGIN` with nil counts, or `END` with how many events each table had.
    struct TransactionBoundary: Sendable {
        let xid: UInt32
        /// The LSN of the message that opened it (the first event's) or of the commit.
        let lsn: UInt64
        let commitMicros: Int64
        /// Events by `schema.table`, in the order to be written; nil: BEGIN.
        let counts: [(collection: String, count: Int64)]?
        let processedNanos: Int64

        init(xid: UInt32, lsn: UInt64, commitMicros: Int64, counts: [(collection: String, count: Int64)]?, processedNanos: Int64) {
            self.xid = xid
            self.lsn = lsn
            self.commitMicros = commitMicros
            self.counts = counts
            self.processedNanos = processedNanos
        }
    }

    private static let transactionKey = Schema.struct(
        [.init("id", DebeziumSchemas.string)], name: "io.debezium.connector.common.TransactionMetadataKey", version: 1)
    private static let collection = Schema.struct(
        [.init("data_collection", DebeziumSchemas.string), .init("event_count", DebeziumSchemas.int64)], optional: true,
        name: "event.collection", version: 1)
    private static let transactionValue = Schema.struct(
        [
            .init("status", DebeziumSchemas.string), .init("id", DebeziumSchemas.string), .init("event_count", DebeziumSchemas.optionalInt64),
            .init("data_collections", .array(collection, optional: true)), .init("ts_ms", DebeziumSchemas.int64),
        ], name: "io.debezium.connector.common.TransactionMetadataValue", version: 1)

    /// Boundaries for the topic `<topic.prefix>.<topic.transaction>`, in order.
    func transactions(_ boundaries: [TransactionBoundary], topic: String) -> RecordBatch {
        let values = boundaries.map { boundary in
            Value.struct([
                boundary.counts == nil ? "BEGIN" : "END", .string("\(boundary.xid):\(boundary.lsn)"),
                boundary.counts.map { .integer($0.reduce(0) { $0 + $1.count }) } ?? .null,
                boundary.counts.map { .array($0.map { .struct([.string($0.collection), .integer($0.count)]) }) } ?? .null,
                .integer(boundary.commitMicros.flooredDivision(by: 1000).quotient),
            ])
        }
        return batch(
            topic, Self.transactionKey, boundaries.map { .struct([.string("\($0.xid):\($0.lsn)")]) }, Self.transactionValue, values,
            nanos: boundaries.map(\.processedNanos))
    }

    private func batch(
        _ topic: String, _ keySchema: Schema, _ keys: [Value], _ valueSchema: Schema, _ values: [Value], nanos: [Int64]
    ) -> RecordBatch {
        RecordBatch(
            topic: topic, count: values.count, key: Column(keySchema, keys), value: Column(valueSchema, values),
            timestamps: Column(RecordBatch.timestampSchema, nanos.map { .integer($0.flooredDivision(by: 1_000_000).quotient) }))
    }
}
