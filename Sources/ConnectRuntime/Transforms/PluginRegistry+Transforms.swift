import ConnectAPI

extension PluginRegistry {
    /// Registers every transform and predicate, in the order Kafka Connect lists them: by class name.
    package mutating func registerTransforms() {
        let debezium = "3.3.1.Final", kafka = Converters.version
        register(transformation: DecodeLogicalDecodingMessageContent.self, version: debezium)
        register(transformation: TimescaleDb.self, version: debezium)
        register(transformation: ByLogicalTableRouter.self, aliases: ["io.debezium.transforms.ToLogicalTopicRouter"], version: debezium)
        register(transformation: ExtractChangedRecordState.self, version: debezium)
        register(transformation: ExtractNewRecordState.self, version: debezium)
        register(transformation: ExtractSchemaToNewRecord.self, version: debezium)
        register(transformation: HeaderToValue.self, version: debezium)
        register(transformation: SchemaChangeEventFilter.self, version: debezium)
        register(transformation: TimezoneConverter.self, version: debezium)
        register(transformation: VectorToJsonConverter.self, version: debezium)
        register(transformation: OpenLineage.self, version: debezium)
        register(transformation: EventRouter.self, version: debezium)
        register(transformation: PartitionRouting.self, version: debezium)
        register(transformation: ActivateTracingSpan.self, version: debezium)
        register(transformation: Cast<KeySide>.self, version: kafka)
        register(transformation: Cast<ValueSide>.self, version: kafka)
        register(transformation: DropHeaders.self, version: kafka)
        register(transformation: ExtractField<KeySide>.self, version: kafka)
        register(transformation: ExtractField<ValueSide>.self, version: kafka)
        register(transformation: Filter.self, version: kafka)
        register(transformation: Flatten<KeySide>.self, version: kafka)
        register(transformation: Flatten<ValueSide>.self, version: kafka)
        register(transformation: HeaderFrom<KeySide>.self, version: kafka)
        register(transformation: HeaderFrom<ValueSide>.self, version: kafka)
        register(transformation: HoistField<KeySide>.self, version: kafka)
        register(transformation: HoistField<ValueSide>.self, version: kafka)
        register(transformation: InsertField<KeySide>.self, version: kafka)
        register(transformation: InsertField<ValueSide>.self, version: kafka)
        register(transformation: InsertHeader.self, version: kafka)
        register(transformation: MaskField<KeySide>.self, version: kafka)
        register(transformation: MaskField<ValueSide>.self, version: kafka)
        register(transformation: RegexRouter.self, version: kafka)
        register(transformation: ReplaceField<KeySide>.self, version: kafka)
        register(transformation: ReplaceField<ValueSide>.self, version: kafka)
        register(transformation: SetSchemaMetadata<KeySide>.self, version: kafka)
        register(transformation: SetSchemaMetadata<ValueSide>.self, version: kafka)
        register(transformation: TimestampConverter<KeySide>.self, version: kafka)
        register(transformation: TimestampConverter<ValueSide>.self, version: kafka)
        register(transformation: TimestampRouter.self, version: kafka)
        register(transformation: ValueToKey.self, version: kafka)
        register(predicate: "HasHeaderKey", HasHeaderKey.Configuration.self)
        register(predicate: "RecordIsTombstone", NoConfiguration.self)
        register(predicate: "TopicNameMatches", TopicNameMatches.Configuration.self)
    }

    /// What to use instead of a transform people know and there is not: those that run scripts of the JVM.
    static func wayAround(transform className: String) -> String? {
        switch className.trimmingSpaces() {
        case "io.debezium.transforms.Filter":
            "There are no scripts here: use org.apache.kafka.connect.transforms.Filter with a predicate, or filter in the connector or the database"
        case "io.debezium.transforms.ContentBasedRouter", "ContentBasedRouter":
            "There are no scripts here: use route.by.field of ExtractNewRecordState, EventRouter, RegexRouter or ByLogicalTableRouter"
        default: nil
        }
    }

    private mutating func register<C: ConnectConfiguration>(predicate name: String, _ type: C.Type) {
        register(
            Plugin(
                kind: .predicate, className: Predicates.packageName + name, version: Converters.version, keys: C.keys,
                findings: { C.parse($0).findings }, implementation: .named))
    }
}
