import ConnectAPI

/// Judges a connector's configuration as Kafka Connect does: every error at once, in Kafka's words.
///
///     connector.class ─▶ plugin
///     framework keys, with one section an alias (FrameworkKeys)  ─┐
///     rules between them (+Rules: sink topics, dead letters)      ├─▶ entries, in Kafka's order ─▶ ConfigInfos
///     the connector's own keys and rules (Plugin.findings)        │
///     the keys of converters set here; client overrides           ─┘
///     keys nobody reads (+Notices: "did you mean") ───────────────────▶ ConfigInfos.notices
///     checks that reach out (Connector.check), only when nothing was wrong so far (`validateReaching`)
///
/// The result depends on the configuration, the plugins and the worker's values alone: `POST /connectors`, `PUT …/validate`, the files
/// of `connectors.d` and `sluice validate` all ask this one engine.
package struct ConfigValidator: Sendable {
    package let plugins: PluginRegistry
    let workerValues: [String: String]

    package init(plugins: PluginRegistry, workerValues: [String: String]) {
        self.plugins = plugins
        self.workerValues = workerValues
    }

    /// Checks what needs no I/O. `plugin` is the class of the request's path, which must agree with `connector.class`.
    /// Throws `HerderError` 400 where there is no class to check against.
    package func validate(_ config: [ConfigEntry], plugin requested: String? = nil) throws -> ConfigInfos {
        let values = Dictionary(config.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
        guard let className = values["connector.class"], !className.trimmingSpaces().isEmpty else {
            // The keys only: values may be secrets (Invariant 10).
            throw HerderError(400, "Connector config {\(config.map(\.key).joined(separator: ", "))} contains no connector type")
        }
        if let requested, !Self.sameClass(className, requested) {
            throw HerderError(400, "Included connector type \(className) does not match request type \(requested)")
        }
        let connector = try resolve(connectorClass: className.trimmingSpaces())

        var sheet = Sheet(name: className)
        framework(connector, values, into: &sheet)
        if connector.kind == .sink { sheet.add(sinkFindings(values)) }
        own(connector, values, into: &sheet)
        for side in ["key", "value", "header"] { converter("\(side).converter", type: side, values, into: &sheet) }
        clientOverrides(connector, config, into: &sheet)
        return ConfigInfos(
            name: className, groups: sheet.groups, entries: sheet.entries,
            notices: notices(config, values, connector, known: sheet.entries.compactMap(\.definition)))
    }

    /// `validate`, then the connector's own look at the outside world when nothing was wrong so far.
    package func validateReaching(_ config: [ConfigEntry], plugin requested: String? = nil) async throws -> ConfigInfos {
        let infos = try validate(config, plugin: requested)
        guard infos.errorCount == 0 else { return infos }
        let values = Dictionary(config.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
        switch try resolve(connectorClass: infos.name.trimmingSpaces()).implementation {
        case .source(let type): return infos.adding(await Self.check(type, values))
        case .sink(let type): return infos.adding(await Self.check(type, values))
        case .transformation, .named: return infos
        }
    }

    private static func check<C: Connector>(_ type: C.Type, _ values: [String: String]) async -> [Diagnostic] {
        do {
            return try await C(C.Configuration(values)).check()
        } catch let error as ConnectorError {
            return [Diagnostic("connector.class", error.description)]
        } catch {
            return [Diagnostic("connector.class", "\(error)")]
        }
    }

    // MARK: - Sections

    private func framework(_ connector: PluginRegistry.Plugin, _ values: [String: String], into sheet: inout Sheet) {
        let defaults = defaults(connector, values)
        let keys = connector.kind == .sink ? FrameworkKeys.sink(defaults) : FrameworkKeys.source(defaults)
        sheet.groups = [FrameworkKeys.commonGroup, FrameworkKeys.transformsGroup, FrameworkKeys.predicatesGroup, FrameworkKeys.errorGroup]
        if connector.kind == .source {
            sheet.groups += [FrameworkKeys.topicCreationGroup, FrameworkKeys.exactlyOnceGroup, FrameworkKeys.offsetsTopicGroup]
        }
        for key in keys { sheet.entries.append(entry(key, values)) }
        for alias in Self.aliases(values["transforms"]) { transform(alias, values, into: &sheet) }
        for alias in Self.aliases(values["predicates"]) { predicate(alias, values, into: &sheet) }
        if connector.kind == .source, values.keys.contains(where: { $0.hasPrefix("topic.creation.") }) {
            for group in Self.aliases(values["topic.creation.groups"]).filter({ $0 != "default" }) + ["default"] {
                sheet.groups.append("\(FrameworkKeys.topicCreationGroup): \(group)")
                for key in FrameworkKeys.topicCreation(group) { sheet.entries.append(entry(key, values)) }
            }
        }
    }

    private func transform(_ alias: String, _ values: [String: String], into sheet: inout Sheet) {
        let prefix = "transforms.\(alias)."
        let plugin = plugins.find(.transformation, values[prefix + "type"])
        sheet.groups.append("Transforms: \(alias)")
        embed(plugin, FrameworkKeys.transform(alias, ownKeys: plugin?.keys ?? [], version: plugin?.version), prefix, values, into: &sheet)
        if values[prefix + "negate"] != nil, values[prefix + "predicate"] == nil {
            sheet.add([
                Diagnostic(
                    prefix + "negate",
                    "Config '\(prefix)negate' was provided but there is no config '\(prefix)predicate' defining a predicate to be negated.")
            ])
        }
        if let predicate = values[prefix + "predicate"]?.trimmingSpaces(), !Self.aliases(values["predicates"]).contains(predicate) {
            sheet.add([
                Diagnostic(
                    prefix + "predicate",
                    "Invalid value \(predicate) for configuration \(prefix)predicate: No predicate of this name is in 'predicates'")
            ])
        }
    }

    private func predicate(_ alias: String, _ values: [String: String], into sheet: inout Sheet) {
        let prefix = "predicates.\(alias)."
        let plugin = plugins.find(.predicate, values[prefix + "type"])
        sheet.groups.append("Predicates: \(alias)")
        embed(plugin, FrameworkKeys.predicate(alias, ownKeys: plugin?.keys ?? [], version: plugin?.version), prefix, values, into: &sheet)
    }

    /// The section of an alias: the plugin judges its own keys, the engine the others.
    private func embed(
        _ plugin: PluginRegistry.Plugin?, _ keys: [ConfigKey], _ prefix: String, _ values: [String: String], into sheet: inout Sheet
    ) {
        let own = Set(plugin?.keys.map { prefix + $0.name } ?? [])
        for key in keys { sheet.entries.append(own.contains(key.name) ? shown(key, values) : entry(key, values)) }
        guard let plugin else { return }
        let given = Dictionary(
            uniqueKeysWithValues: values.lazy.filter { $0.key.hasPrefix(prefix) }.map { (String($0.key.dropFirst(prefix.count)), $0.value) })
        sheet.add(plugin.findings(given).map { Self.qualify($0, prefix) })
    }

    private func own(_ connector: PluginRegistry.Plugin, _ values: [String: String], into sheet: inout Sheet) {
        let known = Set(sheet.entries.map(\.name))
        for key in connector.keys where !known.contains(key.name) { sheet.entries.append(shown(key, values)) }
        for group in connector.keys.compactMap(\.group) where !sheet.groups.contains(group) { sheet.groups.append(group) }
        sheet.add(connector.findings(values))
    }

    /// A converter set here is judged by its own keys; the worker's was judged when the worker started.
    private func converter(_ key: String, type: String, _ values: [String: String], into sheet: inout Sheet) {
        guard let given = values[key], let plugin = plugins.converter(given, header: type == "header") else { return }
        let prefix = key + "."
        var settings = Dictionary(
            uniqueKeysWithValues: values.lazy.filter { $0.key.hasPrefix(prefix) }.map { (String($0.key.dropFirst(prefix.count)), $0.value) })
        settings["converter.type"] = type
        for ownKey in plugin.keys {
            let embedded = FrameworkKeys.embed(ownKey, prefix, ownKey.group, order: ownKey.order)
            sheet.entries.append(shown(embedded, [embedded.name: settings[ownKey.name]].compactMapValues { $0 }))
        }
        sheet.add(plugin.findings(settings).map { Diagnostic(prefix + $0.key, $0.message) })
    }

    /// The defaults that validation reports for the converter keys are the worker's.
    private func defaults(_ connector: PluginRegistry.Plugin, _ values: [String: String]) -> FrameworkKeys.Defaults {
        func inForce(_ key: String, _ fallback: String?) -> (className: String?, version: String?) {
            let worker = workerValues[key] ?? fallback
            let name = worker.map { plugins.converter($0, header: key == "header.converter")?.className ?? $0 }
            return (name, (values[key] ?? worker).flatMap { plugins.converter($0, header: key == "header.converter")?.version })
        }
        var defaults = FrameworkKeys.Defaults()
        defaults.connectorVersion = connector.version
        (defaults.keyConverter, defaults.keyConverterVersion) = inForce("key.converter", "org.apache.kafka.connect.json.JsonConverter")
        (defaults.valueConverter, defaults.valueConverterVersion) = inForce("value.converter", "org.apache.kafka.connect.json.JsonConverter")
        (defaults.headerConverter, defaults.headerConverterVersion) = inForce(
            "header.converter", "org.apache.kafka.connect.storage.SimpleHeaderConverter")
        return defaults
    }
}

extension ConfigValidator {
    /// The answer while it is being filled in.
    struct Sheet {
        let name: String
        var groups: [String] = []
        var entries: [ConfigInfos.Entry] = []
        init(name: String) { self.name = name }
        mutating func add(_ findings: [Diagnostic]) {
            for finding in findings {
                if let i = entries.firstIndex(where: { $0.name == finding.key }) {
                    entries[i].errors.append(finding.message)
                } else {
                    entries.append(ConfigInfos.Entry(definition: nil, name: finding.key, value: nil, errors: [finding.message]))
                }
            }
        }
    }
}
