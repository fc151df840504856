package import ConnectAPI

/// The worker's keys, spelled as Kafka Connect spells them. Those that only make sense with Kafka's own protocols are declared too, so that
/// a worker file people already have is taken without complaint.
package struct WorkerConfiguration: ConnectConfiguration {
    package init() {}

    @Field("bootstrap.servers", importance: .high, doc: "Kafka brokers. Without them the embedded log holds the topics")
    package var bootstrapServers: String?
    @Field("group.id", importance: .high, doc: "The cluster this worker belongs to; without effect on the embedded log")
    package var groupID: String?

    @Field("key.converter", default: "org.apache.kafka.connect.json.JsonConverter", importance: .high, doc: "How keys are rendered")
    package var keyConverter: ClassName
    @FieldPrefix("key.converter.") package var keyConverterSettings: [String: String]
    @Field("value.converter", default: "org.apache.kafka.connect.json.JsonConverter", importance: .high, doc: "How values are rendered")
    package var valueConverter: ClassName
    @FieldPrefix("value.converter.") package var valueConverterSettings: [String: String]
    @Field("header.converter", default: "org.apache.kafka.connect.storage.SimpleHeaderConverter", importance: .low, doc: "How headers are rendered")
    package var headerConverter: ClassName
    @FieldPrefix("header.converter.") package var headerConverterSettings: [String: String]

    @Field(
        "listeners", default: "http://:8083", importance: .low,
        doc: "Where REST listens: http://HOST:PORT or https://HOST:PORT, the latter with listeners.https.ssl.*")
    package var listeners: [String]
    @Field("rest.host.name", importance: .low, doc: "Where REST listens, in the words of old workers")
    package var restHostName: String?
    @Field("rest.port", importance: .low, doc: "The port REST listens on, in the words of old workers", check: .between(0, 65535))
    package var restPort: Int?
    @Field("rest.advertised.host.name", importance: .low, doc: "The host other workers and clients are told")
    package var advertisedHost: String?
    @Field("rest.advertised.port", importance: .low, doc: "The port other workers and clients are told", check: .between(0, 65535))
    package var advertisedPort: Int?
    @Field("rest.advertised.listener", importance: .low, doc: "The listener clients are told: http or https")
    package var advertisedListener: String?
    @Field("access.control.allow.origin", default: "", importance: .low, doc: "Value of Access-Control-Allow-Origin; empty sends none")
    package var allowOrigin: String
    @Field("access.control.allow.methods", default: "", importance: .low, doc: "Methods allowed to requests from other origins")
    package var allowMethods: String
    @Field("admin.listeners", importance: .low, doc: "Listeners of the admin routes; unset: the same as the others")
    package var adminListeners: [String]?
    @Field("response.http.headers.config", default: "", importance: .low, doc: "Headers added to every answer")
    package var responseHeaders: String
    @Field("rest.extension.classes", default: "", importance: .low, doc: "REST extensions: BasicAuthSecurityRestExtension; there is no other")
    package var restExtensions: [String]
    @Field(
        "java.security.auth.login.config", importance: .low,
        doc: "The JAAS file of BasicAuthSecurityRestExtension; a Java worker is told by -Djava.security.auth.login.config in KAFKA_OPTS, which is read too")
    package var jaasFile: String?

    @Field("offset.flush.interval.ms", default: "60000", importance: .low, doc: "How often offsets that moved are committed at the latest", check: .atLeast(1))
    package var offsetFlushInterval: Int64
    @Field("offset.flush.timeout.ms", default: "5000", importance: .low, doc: "How long a commit may take", check: .atLeast(1))
    package var offsetFlushTimeout: Int64
    @Field("task.shutdown.graceful.timeout.ms", default: "5000", importance: .low, doc: "How long tasks may take to stop, all together", check: .atLeast(0))
    package var gracefulTimeout: Int64
    @Field("topic.creation.enable", default: "true", importance: .low, doc: "Whether sources may create topics")
    package var topicCreation: Bool
    @Field("topic.tracking.enable", default: "true", importance: .low, doc: "Whether the topics a connector uses are remembered")
    package var topicTracking: Bool
    @Field("topic.tracking.allow.reset", default: "true", importance: .low, doc: "Whether the remembered topics may be reset")
    package var topicTrackingReset: Bool
    @Field("connector.client.config.override.policy", default: "All", importance: .medium, doc: "Which client settings connectors may override")
    package var overridePolicy: String
    @Field("plugin.path", importance: .low, doc: "Where a Java worker looks for plugins; ours are built in")
    package var pluginPath: String?
    @Field("plugin.discovery", importance: .low, doc: "How a Java worker looks for plugins; without effect")
    package var pluginDiscovery: String?
    @Field("config.providers", default: "", importance: .low, doc: "Names of the providers that resolve ${name:path:key}; see config.providers.NAME.class")
    package var configProviders: [String]
    @FieldPrefix("config.providers.") package var configProviderSettings: [String: String]

    @Field("offset.storage.file.filename", importance: .low, doc: "The offset file of a standalone Java worker; ours are in the log")
    package var offsetStorageFile: String?
    @Field("config.storage.topic", importance: .low, doc: "Kafka's topic of connector configurations") package var configStorageTopic: String?
    @Field("offset.storage.topic", importance: .low, doc: "Kafka's topic of source offsets") package var offsetStorageTopic: String?
    @Field("status.storage.topic", importance: .low, doc: "Kafka's topic of statuses") package var statusStorageTopic: String?

    @Field("sluice.assignment.topic", importance: .low, doc: "Kafka's topic whose partitions are the slots of tasks; GROUP-sluice-slots when unset")
    package var assignmentTopic: String?

    @Field("sluice.data.dir", default: "data", importance: .medium, doc: "The directory of the embedded log and of spill files")
    package var dataDirectory: String
    @Field("sluice.connectors.dir", importance: .medium, doc: "A directory of connector files, loaded at start and watched; connectors.d when that exists")
    package var connectorsDirectory: String?
    @Field(
        "sluice.source.buffer.bytes", default: "33554432", importance: .low, doc: "Bytes of records on their way into the log, all sources together",
        check: .atLeast(1 << 16))
    package var sourceBuffer: Int64
    @Field("sluice.sink.buffer.bytes", default: "16777216", importance: .low, doc: "Bytes a sink task reads ahead", check: .atLeast(1 << 16))
    package var sinkReadAhead: Int64
    @Field("sluice.task.memory.bytes", default: "67108864", importance: .low, doc: "Bytes a task may hold in buffers of its own", check: .atLeast(1 << 20))
    package var taskMemory: Int64
    @Field(
        "log.retention.hours", default: "168", importance: .low,
        doc: "Hours the embedded log keeps records at most, once every sink has read them; -1 keeps them")
    package var retentionHours: Int
    @Field("log.retention.minutes", importance: .low, doc: "The same in minutes") package var retentionMinutes: Int?
    @Field("log.retention.ms", importance: .low, doc: "The same in milliseconds") package var retentionMilliseconds: Int64?
    @Field(
        "log.retention.bytes", default: "-1", importance: .low, doc: "Bytes of a partition the embedded log keeps of what every sink has read; -1 sets no limit"
    )
    package var retentionBytes: Int64
    @Field("sluice.kafka.version", default: "4.1.0", importance: .low, doc: "The Kafka Connect version GET / reports")
    package var reportedVersion: String

    package func crossCheck() -> [Diagnostic] {
        var findings: [Diagnostic] = []
        for (key, listeners) in [("listeners", listeners), ("admin.listeners", adminListeners ?? [])] {
            for listener in listeners where Listener(listener) == nil {
                findings.append(
                    Diagnostic(key, "Invalid value \(listener) for configuration \(key): it is not of the form http://HOST:PORT or https://HOST:PORT"))
            }
        }
        for name in restExtensions where name != BasicAuthentication.extensionClass {
            findings.append(
                Diagnostic("rest.extension.classes", "The REST extension \(name) is a Java class; there is only \(BasicAuthentication.extensionClass)"))
        }
        return findings
    }

    /// How long the embedded log keeps records; nil: without end.
    package var retention: Duration? {
        let milliseconds = retentionMilliseconds ?? retentionMinutes.map { Int64($0) * 60_000 } ?? Int64(retentionHours) * 3_600_000
        return milliseconds < 0 ? nil : .milliseconds(milliseconds)
    }

    /// Keys of the Java worker that change nothing here.
    static let acceptedPrefixes = [
        "producer.", "consumer.", "admin.", "admin.listeners.https.", "ssl.", "sasl.", "security.", "listeners.https.", "metrics.", "metric.", "connections.",
        "retry.", "reconnect.",
        "config.storage.", "offset.storage.", "status.storage.", "inter.worker.", "worker.", "scheduled.rebalance.", "topic.creation.", "internal.",
        "auto.include.jmx", "request.timeout", "session.timeout", "heartbeat.interval", "rebalance.timeout", "client.", "connect.protocol",
        "exactly.once.source.support", "socket.", "send.buffer", "receive.buffer", "metadata.", "log4j.", "errors.", "log.cleaner",
    ]
}

/// A host and a port to listen on; an empty host is every address.
package struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
    package var host: String
    package var port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// `http://HOST:PORT`, `//HOST:PORT`, `HOST:PORT` or `:PORT`; an IPv6 address stands in brackets. nil: none of these, or not HTTP.
    package init?(listener: String) {
        var rest = listener[...]
        if let scheme = rest.range(of: "://") {
            guard rest[..<scheme.lowerBound].lowercased() == "http" else { return nil }
            rest = rest[scheme.upperBound...]
        }
        while rest.last == "/" { rest.removeLast() }
        guard let colon = rest.lastIndex(of: ":"), let port = UInt16(rest[rest.index(after: colon)...]) else { return nil }
        var host = rest[..<colon]
        if host.first == "[" {
            guard host.last == "]" else { return nil }
            host = host.dropFirst().dropLast()
        } else if host.contains(":") || host.contains("/") {
            return nil
        }
        self.init(host: String(host), port: port)
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension Substring {
    fileprivate func range(of text: String) -> Range<Index>? {
        var i = startIndex
        while i < endIndex {
            if self[i...].hasPrefix(text) { return i..<index(i, offsetBy: text.count) }
            i = index(after: i)
        }
        return nil
    }
}
