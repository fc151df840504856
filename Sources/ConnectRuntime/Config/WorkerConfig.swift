package import ConnectAPI

/// How this worker runs: defaults, then the worker file, then the environment, then the command line.
package struct WorkerConfig: Sendable {
    /// Every key given, from wherever.
    package let values: [String: String]
    package let settings: WorkerConfiguration
    package let logLevel: Logger.Level?
    /// `-Djava.security.auth.login.config=` of `KAFKA_OPTS`.
    private let jaasOption: String?
    /// Sentences for the log at start: unknown keys, variables without effect.
    package let notices: [String]

    /// Merges and parses. Throws one error that names every bad key. An unknown key is a notice, never an error.
    package init(file: [String: String] = [:], environment: [String: String] = [:], overrides: [String: String] = [:]) throws {
        let environment = WorkerEnvironment(environment)
        var notices = environment.notices
        let merged = file.merging(environment.settings) { $1 }.merging(overrides) { $1 }
        let providers = try ConfigProviders(merged)
        let values = try providers.resolve(merged.filter { $0.key != "plugin.path" }).merging(merged.filter { $0.key == "plugin.path" }) { $1 }
        let (settings, findings) = WorkerConfiguration.parse(values)
        if !findings.isEmpty {
            throw ConnectorError(
                "worker.config", .stop, "The worker's configuration is invalid: \(findings.map { "\($0.key): \($0.message)" }.joined(separator: "; "))")
        }
        let known = Set(WorkerConfiguration.keys.map(\.name)), prefixes = WorkerConfiguration.keyPrefixes + WorkerConfiguration.acceptedPrefixes
        for key in values.keys.sorted() where !known.contains(key) && !prefixes.contains(where: key.hasPrefix) {
            notices.append("The configuration '\(key)' was supplied but isn't a known config of the worker")
        }
        for key in ["connect.protocol", "scheduled.rebalance.max.delay.ms", "worker.sync.timeout.ms", "worker.unsync.backoff.ms"] where values[key] != nil {
            notices.append("\(key) changes nothing: workers share tasks as one consumer group, and only tasks that move stop")
        }
        var level: Logger.Level?
        if let name = environment.logLevel {
            level = Logger.Level(name: name)
            if level == nil { notices.append("'\(name)' is no log level; use TRACE, DEBUG, INFO, WARN, ERROR or OFF") }
        }
        self.values = values
        self.settings = settings
        self.logLevel = level
        self.notices = notices
        jaasOption = environment.jaasFile
    }

    /// The converters of connectors that configure none.
    package var rendering: Rendering {
        Rendering(
            key: .init(settings.keyConverter.name, settings.keyConverterSettings),
            value: .init(settings.valueConverter.name, settings.valueConverterSettings),
            header: .init(settings.headerConverter.name, settings.headerConverterSettings))
    }

    /// The converters of a connector. A converter it names takes only its own settings; the worker's prefixed ones go with the worker's class.
    package func rendering(for config: [String: String]) -> Rendering {
        func pick(_ key: String, _ worker: Rendering.Converter) -> Rendering.Converter {
            guard let name = config[key]?.trimmingSpaces(), !name.isEmpty else { return worker }
            let prefix = key + "."
            let own = config.filter { $0.key.hasPrefix(prefix) }.map { (String($0.key.dropFirst(prefix.count)), $0.value) }
            return .init(name, Dictionary(own, uniquingKeysWith: { $1 }))
        }
        let worker = rendering
        var value = pick("value.converter", worker.value)
        // A source's own placeholder is what its converter writes where the source did not send a value.
        if let placeholder = config["unavailable.value.placeholder"] ?? config["toasted.value.placeholder"] {
            value = .init(value.className, value.settings.merging(["unavailable.value.placeholder": placeholder]) { own, _ in own })
        }
        return Rendering(key: pick("key.converter", worker.key), value: value, header: pick("header.converter", worker.header))
    }

    /// The address of the listener clients are told.
    package var listen: ListenAddress { advertisedListener.address }

    /// The login configuration of basic authentication.
    var jaasFile: String? { settings.jaasFile ?? jaasOption }

    /// `host:port` as clients are told.
    package func workerID(host: String, port: UInt16) -> String {
        let advertised = settings.advertisedHost ?? (listen.host.isEmpty || listen.host == "0.0.0.0" || listen.host == "::" ? host : listen.host)
        return "\(advertised):\(settings.advertisedPort ?? Int(port))"
    }
}
