import ConnectAPI

/// `ReplaceField`: keeps, drops and renames members.
struct ReplaceField<Side: RecordSide>: Transform {
    static var className: String { Side.className("ReplaceField") }

    struct Configuration: ConnectConfiguration {
        @Field("exclude", default: "", doc: "Members to drop; wins over include", aliases: ["blacklist"]) var exclude: [String]
        @Field("include", default: "", doc: "Members to keep; empty keeps all", aliases: ["whitelist"]) var include: [String]
        @Field("renames", default: "", doc: "old:new, separated by commas", check: renamesCheck) var renames: [String]
        @Field("replace.null.with.default", default: "true", doc: "Put the default of a member instead of its null") var replacesNulls: Bool
        init() {}

        private static var renamesCheck: Check {
            Check { text in
                let bad = ([String](configText: text) ?? []).first { $0.split(separator: ":", omittingEmptySubsequences: false).count != 2 }
                return bad.map { "Invalid rename mapping: \($0)" }
            }
        }
    }

    private let exclude: Set<String>, include: Set<String>
    private let renames: [String: String]
    private let replacesNulls: Bool

    init(_ configuration: Configuration) {
        exclude = Set(configuration.exclude)
        include = Set(configuration.include)
        renames = Dictionary(
            configuration.renames.map {
                let pair = $0.split(separator: ":")
                return (String(pair.first ?? ""), String(pair.last ?? ""))
            }, uniquingKeysWith: { $1 })
        replacesNulls = configuration.replacesNulls
    }

    func apply(_ batch: TransformedBatch) throws -> [TransformedBatch] {
        try Side.structure(batch, purpose: "field replacement", replacingNulls: replacesNulls) { members, _ in
            members.keep({ !exclude.contains($0) && (include.isEmpty || include.contains($0)) }, rename: { renames[$0] ?? $0 })
        }
    }
}
