import ConnectAPI

/// Makes converters by class name.
///
///     column ──JsonConverter / StringConverter / …──▶ one byte string a row (Kafka, `sluice tap`, dead letters)
///     header column ──SimpleHeaderConverter──▶ header texts
///
/// Inside Sluice records stay columns; bytes exist only where somebody outside reads them.
package enum Converters {
    /// Throws `converter.unknown` for a class there is no converter for, `config.invalid` for bad settings.
    package static func make(_ rendering: Rendering.Converter, isKey: Bool) throws -> any Converter {
        let simpleName = rendering.className.split(separator: ".").last.map(String.init) ?? ""
        let name = simpleName.hasSuffix("Converter") ? String(simpleName.dropLast(9)) : simpleName
        var settings = rendering.settings
        settings["converter.type"] = settings["converter.type"] ?? (isKey ? "key" : "value")
        switch name {
        case "Json": return JsonConverter(try JsonConverter.Configuration(settings))
        case "Avro" where !rendering.className.hasPrefix("io.apicurio."): return try AvroConverter(AvroConverter.Configuration(settings))
        case "SnowflakeJson": return JsonConverter(try JsonConverter.Configuration(settings.merging(["schemas.enable": "false"]) { $1 }))
        case "String":
            _ = try StringConverter.Configuration(settings)
            return StringConverter()
        case "SimpleHeader": return SimpleHeaderConverter()
        case "CloudEvents": return try CloudEventsConverter(CloudEventsConverter.Configuration(settings))
        case "ByteArray" where !rendering.className.hasPrefix("io.debezium."): return ByteArrayConverter()
        case "ByteArray", "BinaryData":
            let configuration = try BinaryDataConverter.Configuration(settings)
            return BinaryDataConverter(
                delegate: try configuration.delegate.map { try make(.init($0, configuration.delegateSettings), isKey: isKey) }, className: rendering.className)
        default:
            if let type = NumberConverter.Kind.allCases.first(where: { $0.rawValue == name }) { return NumberConverter(type) }
            throw ConnectorError(
                "converter.unknown", .stop, "There is no converter \(rendering.className)",
                hint: "Available: \((classes.map(\.className) + [SimpleHeaderConverter.className]).joined(separator: ", "))")
        }
    }

    private struct Entry {
        let className: String
        /// Names of others' converters that do the same.
        let aliases: [String]
        let version: String
        let keys: [ConfigKey]
        let keyPrefixes: [String]
        let findings: @Sendable ([String: String]) -> [Diagnostic]

        init<C: ConnectConfiguration>(_ className: String, _ type: C.Type, aliases: [String] = [], version: String = Converters.version) {
            self.className = className
            self.aliases = aliases
            self.version = version
            keys = type.keys
            keyPrefixes = type.keyPrefixes
            findings = { type.parse($0).findings }
        }
    }

    /// In the order Kafka Connect lists them.
    private static var classes: [Entry] {
        let number = "org.apache.kafka.connect.converters."
        return [
            Entry(AvroConverter.className, AvroConverter.Configuration.self, version: "8.0.0"),
            Entry("io.debezium.converters.BinaryDataConverter", BinaryDataConverter.Configuration.self, version: "3.3.1.Final"),
            Entry("io.debezium.converters.ByteArrayConverter", BinaryDataConverter.Configuration.self, version: "3.3.1.Final"),
            Entry(CloudEventsConverter.className, CloudEventsConverter.Configuration.self, version: "3.3.1.Final"),
            Entry(number + "BooleanConverter", ConverterConfiguration.self),
            Entry(number + "ByteArrayConverter", ConverterConfiguration.self),
            Entry(number + "DoubleConverter", ConverterConfiguration.self), Entry(number + "FloatConverter", ConverterConfiguration.self),
            Entry(number + "IntegerConverter", ConverterConfiguration.self), Entry(number + "LongConverter", ConverterConfiguration.self),
            Entry(number + "ShortConverter", ConverterConfiguration.self),
            Entry(
                JsonConverter.className, JsonConverter.Configuration.self, aliases: ["com.snowflake.kafka.connector.records.SnowflakeJsonConverter"]),
            Entry(StringConverter.className, StringConverter.Configuration.self),
        ]
    }

    /// The version of Kafka Connect these follow.
    static let version = "4.1.0"

    fileprivate static func plugins(_ kind: PluginRegistry.Kind) -> [PluginRegistry.Plugin] {
        var entries = classes
        if kind == .headerConverter {
            entries.removeAll { $0.className == CloudEventsConverter.className }
            let simple = Entry(SimpleHeaderConverter.className, NoConfiguration.self)
            entries.insert(simple, at: entries.count - 1)
            // Confluent's is none for headers.
            entries.removeAll { $0.className == AvroConverter.className }
        }
        return entries.map {
            PluginRegistry.Plugin(
                kind: kind, className: $0.className, aliases: $0.aliases, version: $0.version, keys: $0.keys, keyPrefixes: $0.keyPrefixes,
                findings: $0.findings, implementation: .named)
        }
    }
}

extension PluginRegistry {
    /// Registers every converter, as a converter and as a header converter.
    package mutating func registerConverters() {
        for kind in [Kind.converter, .headerConverter] { for plugin in Converters.plugins(kind) { register(plugin) } }
    }
}

/// What every converter is told.
struct ConverterConfiguration: ConnectConfiguration {
    @Field(
        "converter.type", importance: .low, doc: "What the converter is for: key, value or header",
        check: .oneOf(["key", "value", "header"]))
    var type: String
    init() {}
}

struct NoConfiguration: ConnectConfiguration { init() {} }
