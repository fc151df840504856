import ConnectAPI

/// From the Java clients' keys to librdkafka's.
struct Translation {
    let role: KafkaSettings.Role
    let java: [String: String]
    private(set) var properties: [(name: String, value: String)] = []
    private(set) var notices: [String] = []

    init(role: KafkaSettings.Role, java: [String: String]) {
        self.role = role
        self.java = java
    }

    private mutating func set(_ name: String, _ value: String) { properties.append((name, value)) }

    private func unsupported(_ key: String, _ why: String, _ hint: String) -> ConnectorError {
        ConnectorError("kafka.config_unsupported", .stop, "The Kafka client setting \(key) cannot be used: \(why)", hint: hint)
    }

    /// Names that differ and mean the same.
    private static let renamed = [
        "max.request.size": "message.max.bytes", "fetch.max.wait.ms": "fetch.wait.max.ms", "compression.gzip.level": "compression.level",
        "compression.lz4.level": "compression.level", "compression.zstd.level": "compression.level", "ssl.truststore.certificates": "ssl.ca.pem",
        "ssl.keystore.certificate.chain": "ssl.certificate.pem", "ssl.keystore.key": "ssl.key.pem", "ssl.keystore.password": "ssl.keystore.password",
        "sasl.kerberos.kinit.cmd": "sasl.kerberos.kinit.cmd", "sasl.oauthbearer.token.endpoint.url": "sasl.oauthbearer.token.endpoint.url",
    ]

    /// Known to the Java clients, without meaning here.
    private static let withoutEquivalent: Set<String> = [
        "key.serializer", "value.serializer", "key.deserializer", "value.deserializer", "interceptor.classes", "metric.reporters", "metrics.num.samples",
        "metrics.recording.level", "metrics.sample.window.ms", "auto.include.jmx.reporter", "client.dns.lookup", "max.block.ms", "default.api.timeout.ms",
        "max.poll.records", "exclude.internal.topics", "partitioner.adaptive.partitioning.enable", "partitioner.availability.timeout.ms",
        "partitioner.ignore.keys", "enable.metrics.push", "security.providers", "ssl.protocol", "ssl.enabled.protocols", "ssl.provider",
        "ssl.keymanager.algorithm", "ssl.trustmanager.algorithm", "ssl.secure.random.implementation", "ssl.truststore.password", "ssl.truststore.type",
        "ssl.keystore.type", "sasl.login.class", "sasl.login.callback.handler.class", "sasl.client.callback.handler.class", "sasl.kerberos.ticket.renew.jitter",
        "sasl.kerberos.ticket.renew.window.factor", "sasl.login.refresh.buffer.seconds", "sasl.login.refresh.min.period.seconds",
        "sasl.login.refresh.window.factor", "sasl.login.refresh.window.jitter", "socket.connection.setup.timeout.max.ms", "buffer.memory",
        "internal.leave.group.on.close", "metadata.recovery.strategy", "group.remote.assignor",
    ]
    /// Of these nobody need be told: what they say is true here anyway, or is used elsewhere.
    private static let silent: Set<String> = [
        "buffer.memory", "ssl.truststore.type", "ssl.truststore.password", "ssl.keystore.type", "key.serializer", "value.serializer", "key.deserializer",
        "value.deserializer", "max.block.ms", "exclude.internal.topics", "internal.leave.group.on.close", "sasl.login.callback.handler.class",
    ]

    mutating func add(_ key: String, _ value: String) throws {
        switch key {
        case "sasl.jaas.config": try addJAAS(value)
        case "ssl.truststore.location": try addTruststore(value)
        case "ssl.keystore.location": try addKeystore(value)
        case "ssl.engine.factory.class":
            throw unsupported(key, "it names Java code", "Give certificates with ssl.truststore.location and ssl.keystore.location")
        case "ssl.endpoint.identification.algorithm": set(key, value.isEmpty ? "none" : value.lowercased())
        // Java: -1 is what the system gives, which is 0 here.
        case "send.buffer.bytes": set("socket.send.buffer.bytes", value == "-1" ? "0" : value)
        case "receive.buffer.bytes": set("socket.receive.buffer.bytes", value == "-1" ? "0" : value)
        case "partition.assignment.strategy": set(key, try assignors(value))
        case "partitioner.class": addPartitioner(value)
        case "enable.auto.commit":
            if value.lowercased() == "true" {
                notices.append("enable.auto.commit=true changes nothing: offsets are committed once the destination has the records")
            }
        case "group.protocol":
            if value.lowercased() != "classic" { notices.append("group.protocol=\(value) is not known to this librdkafka; the classic protocol is used") }
        case "compression.type", "auto.offset.reset", "isolation.level", "acks", "enable.idempotence", "security.protocol": set(key, value.lowercased())
        // Values librdkafka takes only in its own range.
        case "retries": set(key, value == "2147483647" ? "10000000" : value)
        case "delivery.timeout.ms": set(key, value == "2147483647" ? "0" : value)
        default:
            if let name = Self.renamed[key] { return set(name, value) }
            if Self.withoutEquivalent.contains(key) {
                if !Self.silent.contains(key) { notices.append("\(key) has no equivalent in librdkafka and changes nothing") }
                return
            }
            set(key, value)
        }
    }

    private func assignors(_ value: String) throws -> String {
        try value.split(separator: ",").map { name in
            let simple = name.split(separator: ".").last.map { $0.filter { !$0.isWhitespace } } ?? ""
            return switch simple {
            case "RangeAssignor", "range": "range"
            case "RoundRobinAssignor", "roundrobin": "roundrobin"
            case "StickyAssignor", "CooperativeStickyAssignor", "sticky", "cooperative-sticky": "cooperative-sticky"
            default:
                throw unsupported(
                    "partition.assignment.strategy", "there is no assignor \(simple)", "Use RangeAssignor, RoundRobinAssignor or CooperativeStickyAssignor")
            }
        }.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }.joined(separator: ",")
    }

    private mutating func addPartitioner(_ value: String) {
        let simple = value.split(separator: ".").last.map(String.init) ?? value
        switch simple {
        case "DefaultPartitioner", "UniformStickyPartitioner", "": break
        case "RoundRobinPartitioner": set("partitioner", "random")
        default: notices.append("partitioner.class=\(value) is Java code and changes nothing: keys are divided by murmur2, as Java's default does")
        }
    }

    // MARK: TLS

    private func storeType(_ path: String, _ key: String) -> String {
        if let type = java[key]?.uppercased() { return type }
        return switch path.split(separator: ".").last?.lowercased() ?? "" {
        case "pem", "crt", "cer", "key": "PEM"
        case "p12", "pfx", "pkcs12": "PKCS12"
        default: "JKS"
        }
    }

    private mutating func addTruststore(_ path: String) throws {
        guard storeType(path, "ssl.truststore.type") == "PEM" else {
            throw unsupported(
                "ssl.truststore.location", "\(path) is a Java keystore, and OpenSSL reads PEM files",
                "Convert it: keytool -exportcert -rfc -keystore \(path) -alias NAME > ca.pem, and set ssl.truststore.location=ca.pem, ssl.truststore.type=PEM")
        }
        set("ssl.ca.location", path)
    }

    private mutating func addKeystore(_ path: String) throws {
        switch storeType(path, "ssl.keystore.type") {
        case "PEM":
            set("ssl.certificate.location", path)
            set("ssl.key.location", path)
        case "PKCS12": set("ssl.keystore.location", path)
        default:
            throw unsupported(
                "ssl.keystore.location", "\(path) is a Java keystore",
                "Convert it: keytool -importkeystore -srckeystore \(path) -destkeystore client.p12 -deststoretype PKCS12, and set ssl.keystore.location=client.p12"
            )
        }
    }

    // MARK: SASL

    private mutating func addJAAS(_ text: String) throws {
        guard let login = JAASLogin(text) else {
            throw KafkaSettings.invalid("sasl.jaas.config", "expected 'CLASS required name=\"value\" …;'")
        }
        switch login.module {
        case "PlainLoginModule", "ScramLoginModule":
            if let user = login["username"] { set("sasl.username", user) }
            if let password = login["password"] { set("sasl.password", password) }
        case "Krb5LoginModule":
            if let keytab = login["keyTab"] { set("sasl.kerberos.keytab", keytab) }
            if let principal = login["principal"] { set("sasl.kerberos.principal", principal) }
            if let service = login["serviceName"] { set("sasl.kerberos.service.name", service) }
        case "OAuthBearerLoginModule":
            if java["sasl.oauthbearer.token.endpoint.url"] != nil { set("sasl.oauthbearer.method", "oidc") }
            if let id = login["clientId"] { set("sasl.oauthbearer.client.id", id) }
            if let secret = login["clientSecret"] { set("sasl.oauthbearer.client.secret", secret) }
            if let scope = login["scope"] { set("sasl.oauthbearer.scope", scope) }
        default:
            throw unsupported(
                "sasl.jaas.config", "the login module \(login.module) is Java code", "Use SASL/PLAIN, SCRAM, GSSAPI or OAUTHBEARER with a token endpoint")
        }
    }
}

/// One login of a JAAS configuration: `org.apache.kafka.….PlainLoginModule required username="u" password="p";`
struct JAASLogin {
    let module: String
    private let options: [String: String]

    subscript(option: String) -> String? { options[option] }

    init?(_ text: String) {
        var rest = Substring(text)
        func blank(_ c: Character) -> Bool { c.isWhitespace }
        func word(_ rest: inout Substring) -> Substring {
            rest = rest.drop(while: blank)
            let end = rest.firstIndex { blank($0) || $0 == "=" || $0 == ";" } ?? rest.endIndex
            defer { rest = rest[end...] }
            return rest[..<end]
        }
        let name = word(&rest)
        guard let simple = name.split(separator: ".").last else { return nil }
        guard ["required", "requisite", "sufficient", "optional"].contains(word(&rest).lowercased()) else { return nil }
        module = String(simple)
        var options: [String: String] = [:]
        while true {
            let key = word(&rest)
            rest = rest.drop(while: blank)
            if key.isEmpty { break }
            guard rest.first == "=" else { return nil }
            rest = rest.dropFirst().drop(while: blank)
            guard let quote = rest.first, quote == "\"" || quote == "'" else {
                options[String(key)] = String(word(&rest))
                continue
            }
            rest.removeFirst()
            var value = ""
            while let c = rest.first, c != quote {
                rest.removeFirst()
                if c == "\\", let escaped = rest.first {
                    value.append(escaped)
                    rest.removeFirst()
                } else {
                    value.append(c)
                }
            }
            guard rest.first == quote else { return nil }
            rest.removeFirst()
            options[String(key)] = value
        }
        guard rest.isEmpty || rest.first == ";" else { return nil }
        self.options = options
    }
}
