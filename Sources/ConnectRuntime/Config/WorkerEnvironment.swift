/// Worker settings from environment variables, by the rules of the images people run today.
///
/// - `CONNECT_FOO_BAR=v` is `foo.bar=v`; Confluent's images write `_` as `__` and `-` as `___`.
/// - Debezium's image has a dozen names of its own, such as `BOOTSTRAP_SERVERS` and `REST_PORT`. `CONNECT_` overrides them.
/// - `KEY_CONVERTER_SCHEMAS_ENABLE` and its like look like settings, change nothing in Debezium's image, and change nothing here;
///   that is worth a sentence, since many compose files carry them.
package struct WorkerEnvironment: Sendable, Hashable {
    package var settings: [String: String] = [:]
    /// The level of the root logger, when one was asked for.
    package var logLevel: String?
    /// The login configuration named in `KAFKA_OPTS`, where Java workers are told of it.
    package var jaasFile: String?
    /// Sentences for the log at start.
    package var notices: [String] = []

    private static let debezium = [
        "BOOTSTRAP_SERVERS": "bootstrap.servers", "GROUP_ID": "group.id", "CONFIG_STORAGE_TOPIC": "config.storage.topic",
        "OFFSET_STORAGE_TOPIC": "offset.storage.topic", "STATUS_STORAGE_TOPIC": "status.storage.topic", "KEY_CONVERTER": "key.converter",
        "VALUE_CONVERTER": "value.converter", "REST_HOST_NAME": "rest.host.name", "REST_PORT": "rest.port",
        "ADVERTISED_HOST_NAME": "rest.advertised.host.name", "ADVERTISED_PORT": "rest.advertised.port",
        "OFFSET_FLUSH_INTERVAL_MS": "offset.flush.interval.ms", "OFFSET_FLUSH_TIMEOUT_MS": "offset.flush.timeout.ms",
        "SHUTDOWN_TIMEOUT": "task.shutdown.graceful.timeout.ms",
    ]
    private static let withoutEffect = [
        "KEY_CONVERTER_SCHEMAS_ENABLE", "VALUE_CONVERTER_SCHEMAS_ENABLE", "INTERNAL_KEY_CONVERTER", "INTERNAL_VALUE_CONVERTER",
    ]

    package init(_ variables: [String: String]) {
        for (name, value) in variables.sorted(by: { $0.key < $1.key }) {
            if let key = Self.debezium[name], !value.isEmpty { settings[key] = value }
            if name == "LOG_LEVEL" || name == "CONNECT_LOG4J_ROOT_LOGLEVEL" { logLevel = value }
            if name == "KAFKA_OPTS", let option = value.split(separator: " ").last(where: { $0.hasPrefix("-Djava.security.auth.login.config=") }) {
                jaasFile = option.split(separator: "=", maxSplits: 1).last.map { String($0.filter { $0 != "\"" && $0 != "'" }) }
            }
            if Self.withoutEffect.contains(name) {
                notices.append("The environment variable \(name) has no effect, as in Debezium's image; set CONNECT_\(name) to change the setting")
            }
        }
        for (name, value) in variables where name.hasPrefix("CONNECT_") && !name.hasPrefix("CONNECT_LOG4J_") {
            settings[Self.key(of: String(name.dropFirst("CONNECT_".count)))] = value
        }
    }

    /// `_` is a dot, `__` an underscore, `___` a dash.
    static func key(of name: String) -> String {
        var out = "", underscores = 0
        func flush() {
            for run in stride(from: underscores, to: 0, by: -3) { out += run >= 3 ? "-" : run == 2 ? "_" : "." }
            underscores = 0
        }
        for c in name.lowercased() {
            if c == "_" {
                underscores += 1
            } else {
                flush()
                out.append(c)
            }
        }
        flush()
        return out
    }
}
