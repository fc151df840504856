import ConnectAPI
import ConnectRuntime
import Connectors

extension PluginRegistry {
    /// Everything in the binary, in the order REST lists it.
    static func builtIn() -> PluginRegistry {
        var registry = PluginRegistry()
        for type in BuiltInConnectors.sinks { type.register(in: &registry) }
        for type in BuiltInConnectors.sources { type.register(in: &registry) }
        registry.registerTransforms()
        registry.registerConverters()
        registry.databaseQuery = BuiltInConnectors.databaseQuery
        return registry
    }
}

extension SourceConnector {
    fileprivate static func register(in registry: inout PluginRegistry) { registry.register(source: Self.self) }
}

extension SinkConnector {
    fileprivate static func register(in registry: inout PluginRegistry) { registry.register(sink: Self.self) }
}
