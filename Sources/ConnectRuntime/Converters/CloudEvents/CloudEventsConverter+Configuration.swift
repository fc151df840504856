package import ConnectAPI

extension CloudEventsConverter {
    /// None of the keys is listed: Debezium's converter tells Kafka Connect of none.
    package struct Configuration: ConnectConfiguration {
        @Field(
            "serializer.type", default: "json", importance: .high, doc: "How events are written: json", check: .oneOfIgnoringCase(["json", "avro"]),
            listed: false)
        var serializer: String
        @Field(
            "data.serializer.type", default: "json", importance: .high, doc: "How the data of events is written: json",
            check: .oneOfIgnoringCase(["json", "avro"]), listed: false)
        var dataSerializer: String
        @Field(
            "opentelemetry.tracing.attributes.enable", default: "false", importance: .high, doc: "Write traceparent, from a header of that name", listed: false)
        var tracingAttributes: Bool
        @Field(
            "extension.attributes.enable", default: "true", importance: .high,
            doc: "Write op, source and transaction as attributes whose names begin with iodebezium", listed: false)
        var extensionAttributes: Bool
        @Field(
            "schema.name.adjustment.mode", default: "avro", importance: .low, doc: "How the event's schema is named; JSON events have none",
            check: .oneOf(["none", "avro", "avro_unicode"]), listed: false)
        var schemaNameAdjustment: String
        @Field("schema.cloudevents.name", importance: .low, doc: "The name of the event's schema; JSON events have none", listed: false)
        var schemaName: String?
        @Field(
            "schema.data.name.source.header.enable", default: "false", importance: .low, doc: "Whether dataSchemaName may come from a header", listed: false)
        var dataSchemaNameFromHeader: Bool
        @Field(
            "metadata.source", default: "value,id:generate,type:generate,traceparent:header,dataSchemaName:generate", importance: .high,
            doc: "Where source, op and transaction come from, value or header; then for id, type, traceparent and dataSchemaName: generate or header",
            listed: false)
        var metadataSource: [String]
        @Field("unavailable.value.placeholder", doc: "Stands for values the source did not send", listed: false) var unavailablePlaceholder: String?
        /// The settings of the JsonConverter that writes events and data.
        @FieldPrefix("json.") var json: [String: String]
        package init() {}

        package func crossCheck() -> [Diagnostic] {
            var findings: [Diagnostic] = []
            for (key, value) in [("serializer.type", serializer), ("data.serializer.type", dataSerializer)] where value.lowercased() == "avro" {
                findings.append(
                    Diagnostic(key, "Invalid value \(value) for configuration \(key): Avro needs a schema registry, which is not supported; use json"))
            }
            do {
                _ = try CloudEventMetadata(self)
            } catch {
                findings.append(Diagnostic("metadata.source", error.message))
            }
            return findings + JsonConverter.Configuration.parse(jsonSettings).findings.map { Diagnostic("json.\($0.key)", $0.message) }
        }

        var jsonSettings: [String: String] {
            var settings = json.merging(["converter.type": "value"]) { own, _ in own }
            if let unavailablePlaceholder { settings["unavailable.value.placeholder"] = settings["unavailable.value.placeholder"] ?? unavailablePlaceholder }
            return settings
        }
    }
}
