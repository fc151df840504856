import ConnectAPI
import Glibc
import JSON

/// A template that cannot be: the message is for the person who wrote it.
struct TemplateError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// What records look like and how their values are drawn: an Avro schema with the `arg.properties` of Confluent's random generator.
struct RecordTemplate: Sendable {
    let generator: FieldGenerator
    /// The place of the key among the fields.
    let keyIndex: Int?

    init(_ configuration: DatagenConfiguration) throws(TemplateError) {
        var keyField = configuration.keyField, text = configuration.schemaString
        if let quickstart = Quickstart.schemas[configuration.quickstart.lowercased()] {
            text = quickstart.schema
            if keyField.isEmpty { keyField = quickstart.keyField }
        } else if !configuration.schemaFilename.isEmpty {
            text = try Self.read(configuration.schemaFilename)
        }
        guard let json = try? JSONValue.parse(text) else { throw TemplateError("The schema is not JSON") }
        var count: UInt64 = 0
        generator = try FieldGenerator(json, "the record", &count)
        guard case .record(let fields, _) = generator.kind else { throw TemplateError("The schema must be a record") }
        if keyField.isEmpty {
            keyIndex = nil
        } else {
            guard let index = fields.firstIndex(where: { $0.name == keyField }) else {
                throw TemplateError("schema.keyfield \(keyField) is no field of the record")
            }
            keyIndex = index
        }
    }

    private static func read(_ path: String) throws(TemplateError) -> String {
        guard let file = fopen(path, "r") else { throw TemplateError("\(path) cannot be read: \(String(cString: strerror(errno)))") }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
