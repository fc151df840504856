import ConnectAPI

/// From a class name as people write it to the plugin it means.
extension ConfigValidator {
    /// The connector a `connector.class` names: by full name, simple name, or simple name without `Connector`. Throws `HerderError` 400.
    package func resolve(connectorClass name: String) throws -> PluginRegistry.Plugin {
        let found = plugins.matching(name) { $0 == .source || $0 == .sink }
        if found.count == 1 { return found[0] }
        if found.isEmpty {
            let available = plugins.plugins.filter { $0.kind == .source || $0.kind == .sink }.map(\.summary).joined(separator: ", ")
            throw HerderError(
                400,
                "Failed to find any class that implements Connector and which name matches \(name), available connectors are: \(available)"
                    + (nearestConnector(to: name).map { ". Did you mean '\($0)'?" } ?? ""))
        }
        throw HerderError(
            400,
            "More than one connector matches alias \(name). Please use full package and class name instead. Classes found: "
                + found.map(\.summary).joined(separator: ", "))
    }

    /// The class name, long or short, that a slip of the pen would make of the given one.
    private func nearestConnector(to name: String) -> String? {
        let connectors = plugins.plugins.filter { $0.kind == .source || $0.kind == .sink }
        return Self.nearest(
            to: name, in: Set(connectors.flatMap { [$0.className] + $0.aliases + PluginRegistry.shortNames($0.className, $0.kind) }))
    }

    /// Whether the class of a request's path can be the configured one: one name ends with the other, `Connector` at the end aside.
    static func sameClass(_ configured: String, _ requested: String) -> Bool {
        func bare(_ name: String) -> String { name.hasSuffix("Connector") ? String(name.dropLast(9)) : name }
        let a = bare(configured.trimmingSpaces()), b = bare(requested)
        return a.hasSuffix(b) || b.hasSuffix(a)
    }
}

extension PluginRegistry {
    /// The plugin of a kind that a class name or alias means; nil when there is none or more than one.
    package func find(_ kind: Kind, _ name: String?) -> Plugin? {
        guard let name = name?.trimmingSpaces(), !name.isEmpty else { return nil }
        let found = matching(name) { $0 == kind }
        return found.count == 1 ? found[0] : nil
    }

    /// A converter by name. Kafka's converters serve headers too, so one kind stands in for the other.
    package func converter(_ name: String, header: Bool) -> Plugin? {
        find(header ? .headerConverter : .converter, name) ?? find(header ? .converter : .headerConverter, name)
    }

    /// The plugin of `/connector-plugins/{name}/config`, whatever its kind.
    package func any(_ name: String) -> Plugin? { matching(name) { _ in true }.first }

    /// Full names win over short ones, so that a full name is never ambiguous.
    func matching(_ name: String, _ accepts: (Kind) -> Bool) -> [Plugin] {
        let candidates = plugins.filter { accepts($0.kind) }
        let exact = candidates.filter { $0.className == name || $0.aliases.contains(name) }
        if !exact.isEmpty { return exact }
        return candidates.filter { plugin in ([plugin.className] + plugin.aliases).contains { Self.shortNames($0, plugin.kind).contains(name) } }
    }

    static func shortNames(_ className: String, _ kind: Kind) -> [String] {
        let simple = String(className.split(separator: ".").last ?? Substring(className))
        let suffix =
            switch kind {
            case .sink, .source: "Connector"
            case .converter: "Converter"
            case .headerConverter: "HeaderConverter"
            case .transformation: "Transformation"
            case .predicate: "Predicate"
            }
        return simple.hasSuffix(suffix) && simple.count > suffix.count ? [simple, String(simple.dropLast(suffix.count))] : [simple]
    }
}

extension PluginRegistry.Plugin {
    /// As Kafka Connect lists a plugin in an error.
    var summary: String {
        "PluginDesc{klass=class \(className), name='\(className)', version='\(version)', encodedVersion=\(version), type=\(kind.rawValue), "
            + "typeName='\(kind.rawValue)', location='built-in'}"
    }
}
