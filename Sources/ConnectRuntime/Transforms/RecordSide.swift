import ConnectAPI

/// The half of a record that `X$Key` and `X$Value` work on.
protocol RecordSide: Sendable {
    static var name: String { get }
    static func column(_ batch: RecordBatch) -> Column?
    static func set(_ column: Column?, in batch: inout RecordBatch)
    /// Rows that are null without a schema.
    static func withoutSchema(_ batch: RecordBatch) -> Bitmap?
}

enum KeySide: RecordSide {
    static let name = "Key"
    static func column(_ batch: RecordBatch) -> Column? { batch.key }
    static func set(_ column: Column?, in batch: inout RecordBatch) { batch.key = column }
    static func withoutSchema(_ batch: RecordBatch) -> Bitmap? { nil }
}

enum ValueSide: RecordSide {
    static let name = "Value"
    static func column(_ batch: RecordBatch) -> Column? { batch.value }
    static func set(_ column: Column?, in batch: inout RecordBatch) { batch.value = column }
    static func withoutSchema(_ batch: RecordBatch) -> Bitmap? { batch.tombstones }
}

extension RecordSide {
    static func className(_ transform: String) -> String { "org.apache.kafka.connect.transforms.\(transform)$\(name)" }

    /// Applies `change` to the rows that have a value; rows that are null pass as they are, with the schema they have. A tombstone has none and
    /// stays where it is; a null with a schema gets a batch of its own, since the others' schema changes.
    static func present(_ batch: TransformedBatch, _ change: (TransformedBatch, Column) throws -> TransformedBatch) rethrows
        -> [TransformedBatch]
    {
        guard let column = column(batch.batch) else { return [batch] }
        let tombstones = withoutSchema(batch.batch)
        guard let valid = column.validRows, !valid.allSet else { return [try change(batch, column)] }
        let nulls = tombstones.map { !valid & !$0 } ?? !valid
        if nulls.noneSet { return valid.noneSet ? [batch] : [try change(batch, column)] }
        if nulls.allSet { return [batch] }
        return try nulls.runs.map { run in
            let part = batch.slice(run.range)
            guard !run.bit, let column = self.column(part.batch), column.validRows.map({ !$0.noneSet }) ?? true else { return part }
            return try change(part, column)
        }
    }

    /// As `present`, for a struct: its members may be replaced, added and removed.
    static func structure(
        _ batch: TransformedBatch, purpose: String, replacingNulls: Bool = false,
        _ change: (inout StructColumns, TransformedBatch) throws -> Void
    ) throws -> [TransformedBatch] {
        try present(batch) { part, column in
            guard column.schema.type == .struct else { throw TransformError.notAStruct(column.schema, purpose) }
            var columns = StructColumns(column, replacingNulls: replacingNulls)
            try change(&columns, part)
            var out = part
            set(columns.column(like: column), in: &out.batch)
            return out
        }
    }

    /// Refuses rows that are null, in the words Kafka Connect has for them.
    static func requireNoNull(_ batch: RecordBatch, purpose: String) throws {
        guard let column = column(batch) else { throw TransformError.null("Map objects supported in absence of schema", purpose) }
        if let tombstones = withoutSchema(batch), !tombstones.noneSet {
            throw TransformError.null("Map objects supported in absence of schema", purpose)
        }
        if let valid = column.validRows, !valid.allSet { throw TransformError.null("Struct objects supported", purpose) }
    }
}

enum TransformError {
    static func notAStruct(_ schema: Schema, _ purpose: String) -> ConnectorError {
        ConnectorError(
            "transform.not_a_struct", .reject, "Only Struct objects supported for [\(purpose)], found: \(schema.type.rawValue.uppercased())"
        )
    }

    static func null(_ supported: String, _ purpose: String) -> ConnectorError {
        ConnectorError(
            "transform.null", .reject, "Only \(supported) for [\(purpose)], found: null",
            hint: "Guard the transform with the predicate RecordIsTombstone and negate=true")
    }

    static func unknownField(_ name: String) -> ConnectorError {
        ConnectorError("transform.unknown_field", .stop, "Unknown field: \(name)")
    }

    static func config(_ message: String, hint: String? = nil) -> ConnectorError {
        ConnectorError("config.invalid", .stop, message, hint: hint)
    }
}

/// A struct column taken apart.
struct StructColumns {
    private(set) var names: [String]
    var columns: [Column]

    init(_ column: Column, replacingNulls: Bool) {
        names = column.schema.fields.map(\.name)
        columns = column.children.map { replacingNulls ? $0.replacingNullsWithDefault() : $0 }
    }

    func index(of name: String) -> Int? { names.firstIndex(of: name) }

    /// Adds a member, or replaces the one of this name.
    mutating func set(_ name: String, _ column: Column) {
        if let i = index(of: name) {
            columns[i] = column
        } else {
            names.append(name)
            columns.append(column)
        }
    }

    mutating func keep(_ isKept: (String) -> Bool, rename: (String) -> String = { $0 }) {
        let kept = names.indices.filter { isKept(names[$0]) }
        columns = kept.map { columns[$0] }
        names = kept.map { rename(names[$0]) }
    }

    /// A required struct with the name, version and doc of the old one, as Kafka's transforms build it.
    func column(like old: Column) -> Column { column(like: old, optional: false) }

    /// The same, but optional where the old one was, as Debezium's transforms build it.
    func column(keeping old: Column) -> Column { column(like: old, optional: old.schema.isOptional) }

    private func column(like old: Column, optional: Bool) -> Column {
        let schema = Schema(
            .struct, optional: optional, name: old.schema.name, version: old.schema.version, doc: old.schema.doc, parameters: old.schema.parameters,
            fields: zip(names, columns).map { Schema.Field($0, $1.schema) })
        // What an object does not have it does not get: a masked or cast member stays absent.
        let columns = old.schema.isSchemaless ? zip(names, columns).map { $1.absent(like: old.child($0)) } : columns
        // One instance while nothing changed, so that what is cached by schema stays found.
        return Column(
            schema == old.schema ? old.schema : schema, count: old.count, .struct(columns), validity: old.validity,
            unavailable: old.unavailable)
    }
}

extension Column {
    fileprivate func absent(like member: Column?) -> Column {
        guard unavailable == nil, let absent = member?.unavailable else { return self }
        return Column(schema, count: count, storage, validity: validity.map { $0 & !absent } ?? !absent, unavailable: absent)
    }
}
