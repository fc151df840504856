import ConnectAPI

/// What a change of the record schema does to open files: `schema.compatibility`.
///
/// Follows Confluent's StorageSchemaCompatibility: BACKWARD and FULL keep a file open for older versions of its schema and project the records
/// to it, FORWARD for newer ones. Where versions are missing or a projection is not possible, the file is stored and the next one begins,
/// where the original fails the task.
enum SchemaCompatibility: String, Sendable {
    case none = "NONE", backward = "BACKWARD", forward = "FORWARD", full = "FULL"

    func cuts(record: Schema?, file: Schema?) -> Bool {
        guard let record, let file else { return (record == nil) != (file == nil) }
        if record == file { return false }
        guard self != .none, let new = record.version, let current = file.version else { return true }
        if self == .forward ? new < current : new > current { return true }
        return !Self.canProject(record, to: file)
    }

    static func canProject(_ record: Schema, to file: Schema) -> Bool {
        guard record.type == file.type || widens(record.type, to: file.type), record.name == file.name, record.parameters == file.parameters,
            !record.isOptional || file.isOptional
        else { return false }
        switch file.type {
        case .struct:
            return file.fields.allSatisfy { field in
                guard let i = record.index(of: field.name) else { return field.schema.isOptional || field.schema.defaultValue != nil }
                return canProject(record.fields[i].schema, to: field.schema)
            }
        case .array, .map: return record.element == file.element && record.key == file.key
        default: return true
        }
    }

    private static func widens(_ from: SchemaType, to: SchemaType) -> Bool {
        let order: [SchemaType] = [.int8, .int16, .int32, .int64, .float32, .float64]
        guard let a = order.firstIndex(of: from), let b = order.firstIndex(of: to) else { return false }
        return a < b
    }

    /// The rows in the shape of the file's schema; only after `canProject`.
    static func project(_ column: Column, to file: Schema) -> Column {
        if column.schema == file { return column }
        switch file.type {
        case .struct:
            let children = file.fields.map { field -> Column in
                guard let child = column.child(field.name) else {
                    return .constant(field.schema.defaultValue ?? .null, field.schema, count: column.count)
                }
                return project(child, to: field.schema)
            }
            return Column(file, count: column.count, .struct(children), validity: column.validRows)
        case column.schema.type:
            return column.with(schema: file)
        default:
            let values = (0..<column.count).map { row -> Value in
                switch (column[row], file.type) {
                case (.integer(let i), .float32): .float(Float(i))
                case (.integer(let i), .float64): .double(Double(i))
                case (.float(let f), .float64): .double(Double(f))
                case (let value, _): value
                }
            }
            return Column(file, values)
        }
    }
}
