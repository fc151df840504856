package import ConnectAPI

/// Every class name a configuration may mention, and what it stands for. Built once, at start; the executable registers the connectors.
package struct PluginRegistry: Sendable {
    package enum Kind: String, Sendable { case sink, source, converter, headerConverter = "header_converter", transformation, predicate }

    package struct Plugin: Sendable {
        package let kind: Kind
        package let className: String
        package let aliases: [String]
        package let version: String
        package let keys: [ConfigKey]
        package let keyPrefixes: [String]
        /// Parses the values of the plugin's own keys; all findings at once.
        package let findings: @Sendable ([String: String]) -> [Diagnostic]
        package let implementation: Implementation
        package init(
            kind: Kind, className: String, aliases: [String] = [], version: String, keys: [ConfigKey], keyPrefixes: [String] = [],
            findings: @escaping @Sendable ([String: String]) -> [Diagnostic], implementation: Implementation
        ) {
            self.kind = kind
            self.className = className
            self.aliases = aliases
            self.version = version
            self.keys = keys
            self.keyPrefixes = keyPrefixes
            self.findings = findings
            self.implementation = implementation
        }
    }

    package enum Implementation: Sendable {
        case source(any SourceConnector.Type)
        case sink(any SinkConnector.Type)
        case transformation(any Transform.Type)
        /// Converters, header converters and predicates are made by name (`Converters.make`, `Predicates.make`).
        case named
    }

    /// In the order REST lists them.
    package private(set) var plugins: [Plugin] = []
    /// What transforms ask a database with; nil: nothing.
    package var databaseQuery: DatabaseQuery?
    package init() {}
    package mutating func register(_ plugin: Plugin) { plugins.append(plugin) }

    /// The connector a class name or an alias of it stands for.
    package func connectorType(_ className: String) -> (any Connector.Type)? {
        let name = className.trimmingSpaces()
        for plugin in plugins where plugin.className == name || plugin.aliases.contains(name) {
            switch plugin.implementation {
            case .source(let type): return type
            case .sink(let type): return type
            case .transformation, .named: continue
            }
        }
        return nil
    }

    package mutating func register<C: SourceConnector>(source type: C.Type) {
        register(connector: type, .source, .source(type))
    }
    package mutating func register<C: SinkConnector>(sink type: C.Type) {
        register(connector: type, .sink, .sink(type))
    }
    private mutating func register<C: Connector>(connector type: C.Type, _ kind: Kind, _ implementation: Implementation) {
        register(
            Plugin(
                kind: kind, className: C.info.className, aliases: C.info.aliases, version: C.info.version, keys: C.Configuration.keys,
                keyPrefixes: C.Configuration.keyPrefixes, findings: { C.Configuration.parse($0).findings }, implementation: implementation))
    }
    package mutating func register<T: Transform>(transformation type: T.Type, aliases: [String] = [], version: String) {
        register(
            Plugin(
                kind: .transformation, className: T.className, aliases: aliases, version: version, keys: T.Configuration.keys,
                keyPrefixes: T.Configuration.keyPrefixes, findings: { T.Configuration.parse($0).findings },
                implementation: .transformation(type)))
    }
}
