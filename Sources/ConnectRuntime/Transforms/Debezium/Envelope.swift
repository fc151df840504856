import ConnectAPI

/// What Debezium's transforms ask of its envelope.
enum Envelope {
    static let deletedSchema = Schema(.string, optional: true)

    /// A struct whose name ends in `.Envelope`, which is all that most of Debezium's transforms look at.
    static func isNamed(_ schema: Schema) -> Bool { schema.type == .struct && schema.name?.hasSuffix(".Envelope") == true }

    /// A struct whose name ends in `.Envelope`, with rows before and after.
    static func recognizes(_ schema: Schema) -> Bool {
        isNamed(schema) && schema.index(of: "after") != nil && schema.index(of: "before") != nil && schema.index(of: "op") != nil
    }

    /// The `op` of every row.
    struct Operations {
        private let column: Column?

        init(_ envelope: Column) { column = envelope.child("op") }

        /// The one letter of a row's operation; nil: there is none.
        subscript(row: Int) -> UInt8? {
            switch column?.storage {
            case .constant(.string(let text)): text.utf8.count == 1 ? text.utf8.first : nil
            case .utf8(let values): values.range(row).count == 1 ? values.bytes[Int(values.offsets[row])] : nil
            default: nil
            }
        }

        func isTruncate(_ row: Int) -> Bool { self[row] == UInt8(ascii: "t") }
        func isDelete(_ row: Int) -> Bool { self[row] == UInt8(ascii: "d") }
        func isUpdate(_ row: Int) -> Bool { self[row] == UInt8(ascii: "u") }
        func isMessage(_ row: Int) -> Bool { self[row] == UInt8(ascii: "m") }
    }
}

/// `op`, `source.ts_ms`, `table:name`: a field of the envelope to be added to rows or headers.
struct FieldReference: Sendable {
    let name: String
    private let parent: String?
    private let field: String

    var isOperation: Bool { parent == nil && field == "op" }

    init(_ text: String, prefix: String) throws {
        let sides = text.split(separator: ":", omittingEmptySubsequences: false)
        let path = sides[0].split(separator: ".", omittingEmptySubsequences: false).map { String($0).trimmingSpaces() }
        guard sides.count <= 2, path.count <= 2, !path.contains(""), sides.last != "" else {
            throw ConnectorError(
                "config.invalid", .stop, "Unexpected field name: \(text)",
                hint: "Write field, struct.field or struct.field:newName, separated by commas")
        }
        let rename = sides.count == 2 ? String(sides[1]).trimmingSpaces() : nil
        if path.count == 2 {
            (parent, field) = (path[0], path[1])
            name = prefix + (rename ?? "\(path[0])_\(path[1])")
        } else {
            field = path[0]
            name = prefix + (rename ?? field)
            switch field {
            case "op", "ts_ms", "ts_us", "ts_ns": parent = nil
            case "id", "total_order", "data_collection_order": parent = "transaction"
            default: parent = "source"
            }
        }
    }

    /// The column, null where what holds it is; nil when the envelope has no such field. A field that another transform added to the envelope
    /// itself is found there.
    func column(of envelope: Column) -> Column? {
        guard let parent else { return envelope.child(field) }
        if let holder = envelope.child(parent), holder.schema.type == .struct, let member = holder.member(field) { return member }
        return envelope.child(field)
    }
}
