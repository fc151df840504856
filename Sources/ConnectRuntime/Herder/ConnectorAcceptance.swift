package import ConnectAPI

/// Judges submitted configurations, with Kafka Connect's codes and texts.
package struct ConnectorAcceptance: Sendable {
    let validator: ConfigValidator
    let providers: ConfigProviders
    let log: Logger

    package init(validator: ConfigValidator, providers: ConfigProviders, log: Logger) {
        self.validator = validator
        self.providers = providers
        self.log = log
    }

    func plugin(of values: [String: String]) -> PluginRegistry.Plugin? {
        values["connector.class"].flatMap { try? validator.resolve(connectorClass: $0.trimmingSpaces()) }
    }

    /// Checks with references resolved, and answers with them as they were written (Invariant 10). Where a reference refers to nothing, that is what is
    /// wrong, not the text that stands in for the value.
    package func validated(_ config: [ConfigEntry], plugin: String?, reachingOut: Bool) async throws -> ConfigInfos {
        let resolved: [ConfigEntry], values: [String: String]
        do {
            values = try providers.resolve(Dictionary(config.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }))
            resolved = config.map { ConfigEntry($0.key, values[$0.key] ?? $0.value) }
        } catch let error as ConnectorError {
            throw HerderError(500, Trace.message(of: error))
        }
        let found = try await reachingOut ? validator.validateReaching(resolved, plugin: plugin) : validator.validate(resolved, plugin: plugin)
        let infos = found.explaining(providers.unresolved(values))
        let written = zip(config, resolved).filter { $0.0.value != $0.1.value }.map { (key: $0.0.key, written: $0.0.value, resolved: $0.1.value) }
        return written.isEmpty ? infos : infos.hiding(written)
    }

    /// The configuration to store, with the name in it; throws what is wrong with it.
    func accepted(_ name: String, _ config: [ConfigEntry], reachingOut: Bool) async throws -> [ConfigEntry] {
        var config = config
        if let given = config.first(where: { $0.key == "name" })?.value {
            guard given == name else {
                throw HerderError(400, "Connector name configuration (\(given)) doesn't match connector name in the URL (\(name))")
            }
        } else {
            config.append(ConfigEntry("name", name))
        }
        let infos = try await validated(config, plugin: nil, reachingOut: reachingOut)
        if let message = infos.badRequestMessage { throw HerderError(400, message) }
        for notice in infos.notices { log.warn("Connector \(name): \(notice.key): \(notice.message)") }
        return config
    }
}

extension [ConfigEntry] {
    /// `PATCH /connectors/{name}/config`: overwrites keys; a nil value removes the key.
    func patched(_ changes: [(key: String, value: String?)]) -> [ConfigEntry] {
        var config = self
        for (key, value) in changes {
            let i = config.firstIndex { $0.key == key }
            switch (i, value) {
            case (let i?, let value?): config[i] = ConfigEntry(key, value)
            case (let i?, nil): config.remove(at: i)
            case (nil, let value?): config.append(ConfigEntry(key, value))
            case (nil, nil): break
            }
        }
        return config
    }
}

extension ConfigInfos {
    /// The same answer with what is wrong with these keys in place of what follows from it, and a notice where nothing does.
    fileprivate func explaining(_ dangling: [Diagnostic]) -> ConfigInfos {
        var entries = entries, notices = notices
        for reference in dangling {
            if let i = entries.firstIndex(where: { $0.name == reference.key && !$0.errors.isEmpty }) {
                entries[i].errors = ["Invalid value \(entries[i].value ?? "null") for configuration \(reference.key): \(reference.message)"]
            } else {
                notices.append(Diagnostic(reference.key, "The reference stays as it is: \(reference.message)"))
            }
        }
        return ConfigInfos(name: name, groups: groups, entries: entries, notices: notices)
    }

    /// The same answer with resolved texts taken back to how they were written.
    fileprivate func hiding(_ references: [(key: String, written: String, resolved: String)]) -> ConfigInfos {
        func hidden(_ text: String) -> String {
            references.reduce(text) { $1.resolved.isEmpty ? $0 : $0.replacing($1.resolved, with: $1.written) }
        }
        let entries = entries.map { entry in
            Entry(
                definition: entry.definition, name: entry.name,
                value: references.first { $0.key == entry.name && entry.value == $0.resolved }?.written ?? entry.value,
                errors: entry.errors.map(hidden), recommended: entry.recommended, visible: entry.visible)
        }
        return ConfigInfos(name: name, groups: groups, entries: entries, notices: notices)
    }
}
