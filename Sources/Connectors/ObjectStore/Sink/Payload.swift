import ConnectAPI
import Synchronization

/// `behavior.on.null.values`.
enum NullValues: String, Sendable { case fail, ignore, write }

/// Which part of a record is written, and which records have none.
enum Payload {
    /// The column to write and the rows without a value. With `.write`, every row has one: a member `__deleted` is added, and a null record
    /// becomes a row of its key's fields.
    static func values(
        _ batch: RecordBatch, path: [String], nulls behavior: NullValues, knownSchema: Schema?
    ) throws -> (value: Column?, nulls: Bitmap?) {
        var value = batch.value, nulls = batch.tombstones
        if let whole = value, !path.isEmpty {
            guard let inner = FieldPath.column(path, in: whole) else {
                throw ConnectorError(
                    "objectstore.payload_path", .stop, "The values of topic \(batch.topic) have no member '\(path.joined(separator: "."))'",
                    hint: "Remove payload.path when the records are flat already (ExtractNewRecordState), or correct it")
            }
            value = inner
        }
        guard let column = value else {
            if behavior == .write { return (deleted(batch, nil, knownSchema), nil) }
            return (nil, Bitmap(repeating: true, count: batch.count))
        }
        if let valid = column.validRows { nulls = nulls.map { $0 | !valid } ?? !valid }
        if behavior == .write { return (deleted(batch, column, nil, nulls), nil) }
        return (column, nulls)
    }

    static func nullError(_ partition: TopicPartition, _ offset: Int64) -> ConnectorError {
        ConnectorError(
            "objectstore.null_value", .reject,
            "Null valued records are not writeable with current behavior.on.null.values setting 'fail': \(partition) at offset \(offset)",
            hint: "Set behavior.on.null.values to ignore, or to write for a row with __deleted = true")
    }

    private static let flag = Schema(.boolean)

    private static func deleted(_ batch: RecordBatch, _ value: Column?, _ known: Schema?, _ nulls: Bitmap? = nil) -> Column? {
        let count = batch.count
        // The members of the value, or of the last one seen; a value that is no struct becomes one.
        let shape: Schema
        if let value {
            shape = value.schema.type == .struct ? value.schema : .struct([Schema.Field("value", value.schema)])
        } else if let known {
            shape = .struct(known.fields.filter { $0.name != "__deleted" }, name: known.name, version: known.version)
        } else if let key = batch.key?.schema, key.type == .struct {
            shape = key
        } else {
            shape = .struct([])
        }
        var fields: [Schema.Field] = [], columns: [Column] = []
        for field in shape.fields {
            let schema = field.schema.isOptional ? field.schema : field.schema.with(optional: true)
            fields.append(Schema.Field(field.name, schema))
            var column: Column
            if let value { column = value.schema.type == .struct ? value.child(field.name)! : value } else { column = .constant(.null, schema, count: count) }
            let key = batch.key.flatMap { $0.schema.type == .struct ? $0.child(field.name) : nil }
            let fromKey = key.flatMap { $0.schema.type == schema.type ? $0 : nil }
            if value == nil, let fromKey {
                column = fromKey.with(schema: schema)
            } else if let nulls, !nulls.noneSet {
                let values = (0..<count).map { row in nulls[row] ? fromKey?[row] ?? .null : column[row] }
                column = Column(schema, values)
            } else {
                column = column.with(schema: schema)
            }
            columns.append(column)
        }
        fields.append(Schema.Field("__deleted", flag))
        let flags: Column
        if value == nil {
            flags = .constant(true, flag, count: count)
        } else if let nulls, !nulls.noneSet {
            flags = Column(flag, count: count, .boolean((0..<count).map { nulls[$0] ? 1 : 0 }))
        } else {
            flags = .constant(false, flag, count: count)
        }
        columns.append(flags)
        return Column(DeletedSchemas.shared(.struct(fields, name: shape.name, version: shape.version)), count: count, .struct(columns))
    }
}

/// One instance for equal schemas, so that comparing them stays cheap from batch to batch.
private enum DeletedSchemas {
    private static let known = Mutex<Set<Schema>>([])
    static func shared(_ schema: Schema) -> Schema {
        known.withLock { known in
            if let same = known.firstIndex(of: schema) { return known[same] }
            if known.count > 1000 { known.removeAll() }
            known.insert(schema)
            return schema
        }
    }
}
