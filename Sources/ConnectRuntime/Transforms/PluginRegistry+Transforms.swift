import ConnectAPI

extension PluginRegistry {
    /// Registers every transform and predicate, in the order Kafka Connect lists them: by class name.
    package mutating func registerTransforms() {
        register(transformation: ExtractNewRecordState.self, version: "3.3.1.Final")
        register(transformation: RegexRouter.self, version: Converters.version)
        register(predicate: "HasHeaderKey", HasHeaderKey.Configuration.self)
        register(predicate: "RecordIsTombstone", NoConfiguration.self)
        register(predicate: "TopicNameMatches", TopicNameMatches.Configuration.self)
    }

    private mutating func register<C: ConnectConfiguration>(predicate name: String, _ type: C.Type) {
        register(
            Plugin(
                kind: .predicate, className: Predicates.packageName + name, version: Converters.version, keys: C.keys,
                findings: { C.parse($0).findings }, implementation: .named))
    }
}
