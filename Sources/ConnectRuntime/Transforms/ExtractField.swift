import ConnectAPI

/// `ExtractField`: one member instead of the struct.
struct ExtractField<Side: RecordSide>: Transform {
    static var className: String { Side.className("ExtractField") }

    struct Configuration: ConnectConfiguration {
        @Field("field", doc: "The member; with syntax V2 a dotted path, back-ticks around names that hold dots") var field: String
        @Field("replace.null.with.default", default: "true", doc: "Put the default of the member instead of its null") var replacesNulls: Bool
        @Field(
            "field.syntax.version", default: "V1", importance: .high, doc: "V1: a name. V2: a path",
            check: .oneOfIgnoringCase(["V1", "V2"]))
        var syntax: String
        init() {}
    }

    private let field: String
    private let path: [String]
    private let replacesNulls: Bool

    init(_ configuration: Configuration) throws {
        field = configuration.field
        path = configuration.syntax.uppercased() == "V2" ? try Self.parse(field) : [field]
        replacesNulls = configuration.replacesNulls
    }

    /// `a.b`, `` `a.b`.c ``; a back-tick inside back-ticks is written `` \` ``.
    private static func parse(_ text: String) throws -> [String] {
        var path: [String] = [], name = "", quoted = false, escaped = false
        for c in text {
            if escaped {
                name.append(c)
                escaped = false
            } else if quoted, c == "\\" {
                escaped = true
            } else if c == "`", quoted || name.isEmpty {
                quoted.toggle()
            } else if c == ".", !quoted {
                path.append(name)
                name = ""
            } else {
                name.append(c)
            }
        }
        if quoted {
            throw TransformError.config("Incomplete backtick pair in path: [\(text)], consider adding a backslash before the backtick")
        }
        return path + [name]
    }

    func apply(_ batch: TransformedBatch) throws -> [TransformedBatch] {
        guard var column = Side.column(batch.batch) else { return [batch] }
        for name in path {
            guard column.schema.type == .struct else { throw TransformError.notAStruct(column.schema, "field extraction") }
            guard let member = column.member(name) else { throw TransformError.unknownField(field) }
            column = replacesNulls ? member.replacingNullsWithDefault(where: column.validRows) : member
        }
        var out = batch
        Side.set(column, in: &out.batch)
        return [out]
    }
}

extension Column {
    /// Only where the struct that held it was there.
    fileprivate func replacingNullsWithDefault(where holder: Bitmap?) -> Column {
        let replaced = replacingNullsWithDefault()
        return holder.map { replaced.masked($0) } ?? replaced
    }
}
