import ConnectAPI

/// `InsertHeader`: a header with the same value on every record.
struct InsertHeader: Transform {
    static let className = "org.apache.kafka.connect.transforms.InsertHeader"

    struct Configuration: ConnectConfiguration {
        @Field("header", importance: .high, doc: "The name of the header", check: .nonEmpty) var header: String
        @Field("value.literal", importance: .high, doc: "The value; its type is guessed from the text") var literal: String
        init() {}
    }

    private let header: String
    private let schema: Schema, value: Value

    init(_ configuration: Configuration) {
        header = configuration.header
        (schema, value) = HeaderLiteral.parse(configuration.literal)
    }

    func apply(_ batch: TransformedBatch) -> [TransformedBatch] {
        var out = batch
        out.batch.headers.append(HeaderColumn(header, .constant(value, schema, count: batch.batch.count)))
        return [out]
    }
}

/// `DropHeaders`: records without these headers.
struct DropHeaders: Transform {
    static let className = "org.apache.kafka.connect.transforms.DropHeaders"

    struct Configuration: ConnectConfiguration {
        @Field("headers", importance: .high, doc: "Names of the headers to drop", check: .nonEmpty) var headers: [String]
        init() {}
    }

    private let headers: Set<String>
    init(_ configuration: Configuration) { headers = Set(configuration.headers) }

    func apply(_ batch: TransformedBatch) -> [TransformedBatch] {
        var out = batch
        out.batch.headers.removeAll { headers.contains($0.name) }
        return [out]
    }
}

/// `HeaderFrom`: members become headers, and are kept or taken away.
struct HeaderFrom<Side: RecordSide>: Transform {
    static var className: String { Side.className("HeaderFrom") }

    struct Configuration: ConnectConfiguration {
        @Field("fields", importance: .high, doc: "Members to make headers of", check: .nonEmpty) var fields: [String]
        @Field("headers", importance: .high, doc: "Their header names, in the same order", check: .nonEmpty) var headers: [String]
        @Field("operation", importance: .high, doc: "move or copy", check: .oneOf(["move", "copy"])) var operation: String
        @Field("replace.null.with.default", default: "true", doc: "Put the default of a member instead of its null") var replacesNulls: Bool
        init() {}
    }

    private let fields: [String], headers: [String]
    private let moves: Bool, replacesNulls: Bool

    init(_ configuration: Configuration) throws {
        fields = configuration.fields
        headers = configuration.headers
        moves = configuration.operation == "move"
        replacesNulls = configuration.replacesNulls
        guard fields.count == headers.count else {
            throw TransformError.config("'fields' config must have the same number of elements as 'headers' config.")
        }
    }

    func apply(_ batch: TransformedBatch) throws -> [TransformedBatch] {
        let purpose = "header operation"
        try Side.requireNoNull(batch.batch, purpose: purpose)
        guard let column = Side.column(batch.batch), column.schema.type == .struct else {
            throw TransformError.notAStruct(Side.column(batch.batch)?.schema ?? Schema(.string), purpose)
        }
        var added: [HeaderColumn] = []
        for (field, header) in zip(fields, headers) {
            guard let member = column.member(field) else { throw TransformError.unknownField(field) }
            added.append(HeaderColumn(header, replacesNulls ? member.replacingNullsWithDefault() : member))
        }
        var out =
            moves
            ? try Side.structure(batch, purpose: purpose) { members, _ in members.keep { !fields.contains($0) } }[0] : batch
        out.batch.headers += added
        return [out]
    }
}

/// `Filter`: no records; a predicate says which.
struct Filter: Transform {
    static let className = "org.apache.kafka.connect.transforms.Filter"
    struct Configuration: ConnectConfiguration { init() {} }
    init(_ configuration: Configuration) {}
    func apply(_ batch: TransformedBatch) -> [TransformedBatch] { [] }
}
