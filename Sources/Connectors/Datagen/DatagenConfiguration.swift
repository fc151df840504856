public import ConnectAPI

/// Confluent's keys, and `random.seed`.
public struct DatagenConfiguration: ConnectConfiguration {
    @Field("kafka.topic", importance: .high, doc: "The topic to write to", check: .nonEmpty) var topic: String
    @Field("max.interval", default: "500", importance: .high, doc: "Milliseconds between two records at most; each wait is drawn at random. 0 or less: none")
    var maxInterval: Int64
    @Field("iterations", default: "-1", importance: .high, doc: "Records each task makes; 0 or less: without end") var iterations: Int64
    @Field("quickstart", default: "", importance: .high, doc: "One of the built-in schemas, in any case", check: Self.knownQuickstart) var quickstart: String
    @Field("schema.string", default: "", importance: .high, doc: "An Avro schema in JSON with arg.properties that say how to draw values") var schemaString:
        String
    @Field("schema.filename", default: "", importance: .high, doc: "A file that holds such a schema") var schemaFilename: String
    @Field("schema.keyfield", default: "", importance: .high, doc: "The field that is the record's key") var keyField: String
    @Field("random.seed", doc: "The same seed makes the same records; drawn at random when absent, and kept in the offset") var seed: Int64?
    @Field("generate.timeout", importance: .low, doc: "Accepted; records are not generated slowly enough to need it") var generateTimeout: Int64?

    public init() {}

    private static let knownQuickstart = Check(recommended: Quickstart.schemas.keys.sorted()) { text in
        text.isEmpty || Quickstart.schemas[text.lowercased()] != nil ? nil : "It must be one of \(Quickstart.schemas.keys.sorted().joined(separator: ", "))"
    }

    public func crossCheck() -> [Diagnostic] {
        let given = [("quickstart", quickstart), ("schema.string", schemaString), ("schema.filename", schemaFilename)].filter { !$0.1.isEmpty }
        if given.count != 1 { return [Diagnostic("quickstart", "Give exactly one of quickstart, schema.string and schema.filename")] }
        do { _ = try RecordTemplate(self) } catch { return [Diagnostic(given[0].0, error.description)] }
        return []
    }
}
