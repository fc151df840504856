import ConnectAPI
import Foundation
import Kafka
import TestSupport
import Testing

/// A broker (`KAFKA_HOME`) that asks for TLS with the client's certificate, for a login, and for rights: the binary with the worker file Kafka
/// Connect would have.
@Suite(.serialized, .enabled(if: KafkaBroker.isAvailable)) struct KafkaSecurityTests {
    private static let plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
    private static let scram = "org.apache.kafka.common.security.scram.ScramLoginModule"

    /// The listener named PLAINTEXT speaks SASL_SSL; users: `broker`, `connect` and `nobody` by PLAIN, `connect` also by SCRAM.
    private static func withSecureKafka(_ body: (KafkaBroker, _ certificates: String) async throws -> Void) async throws {
        try await withTemporaryDirectory { certificates in
            try Certificates.make(["server": "/CN=127.0.0.1", "client": "/CN=a client"], in: certificates)
            let settings = [
                "listener.security.protocol.map=PLAINTEXT:SASL_SSL,CONTROLLER:PLAINTEXT", "inter.broker.listener.name=PLAINTEXT",
                "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512", "sasl.mechanism.inter.broker.protocol=PLAIN",
                "listener.name.plaintext.plain.sasl.jaas.config=\(plain) required username=\"broker\" password=\"broker-secret\" "
                    + "user_broker=\"broker-secret\" user_connect=\"connect-secret\" user_nobody=\"nobody-secret\";",
                "listener.name.plaintext.scram-sha-512.sasl.jaas.config=\(scram) required;", "ssl.keystore.type=PEM",
                "ssl.keystore.location=\(certificates)/server-keystore.pem", "ssl.truststore.type=PEM", "ssl.truststore.location=\(certificates)/ca.pem",
                "listener.name.plaintext.ssl.client.auth=required", "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users=User:ANONYMOUS;User:broker;User:connect",
            ]
            try await withKafka(settings) { broker in
                let client = certificates + "/broker.properties"
                try text(login("broker", certificates)).write(toFile: client, atomically: true, encoding: .utf8)
                try Subprocess.run(
                    KafkaBroker.home! + "/bin/kafka-configs.sh",
                    [
                        "--bootstrap-server", broker.bootstrapServers, "--command-config", client, "--alter", "--add-config",
                        "SCRAM-SHA-512=[password=connect-secret]", "--entity-type", "users", "--entity-name", "connect",
                    ])
                try await body(broker, certificates)
            }
        }
    }

    private static func text(_ settings: [String: String]) -> String {
        settings.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }.joined()
    }

    /// How the Java clients are told who they are.
    private static func login(_ user: String, _ certificates: String, password: String? = nil, isScram: Bool = false) -> [String: String] {
        [
            "security.protocol": "SASL_SSL", "sasl.mechanism": isScram ? "SCRAM-SHA-512" : "PLAIN",
            "sasl.jaas.config": "\(isScram ? scram : plain) required username=\"\(user)\" password=\"\(password ?? user + "-secret")\";",
            "ssl.truststore.type": "PEM", "ssl.truststore.location": certificates + "/ca.pem", "ssl.keystore.type": "PEM",
            "ssl.keystore.location": certificates + "/client-keystore.pem",
        ]
    }

    private static func worker(_ broker: KafkaBroker, _ security: [String: String], in directory: String) throws -> (SluiceWorker, file: String) {
        let text = "org.apache.kafka.connect.storage.StringConverter"
        let settings = [
            "bootstrap.servers": broker.bootstrapServers, "group.id": "secure", "config.storage.topic": "secure-configs",
            "offset.storage.topic": "secure-offsets", "status.storage.topic": "secure-status", "config.storage.replication.factor": "1",
            "offset.storage.replication.factor": "1", "status.storage.replication.factor": "1", "offset.storage.partitions": "3",
            "key.converter": text, "value.converter": text, "exactly.once.source.support": "enabled",
        ]
        let file = directory + "/worker.properties"
        try Self.text(settings.merging(security) { $1 }).write(toFile: file, atomically: true, encoding: .utf8)
        return (try SluiceWorker(directory: directory), file)
    }

    @Test func everyClientOfAWorkerLogsInOverTLS() async throws {
        try await Self.withSecureKafka { broker, certificates in
            try await withTemporaryDirectory { directory in
                // With an older librdkafka SCRAM is refused, in words (below).
                let login = Self.login("connect", certificates, isScram: KafkaError.knowsSCRAMOfKafka4)
                let (worker, file) = try Self.worker(broker, login, in: directory)
                defer { worker.kill() }
                let lines = (0..<2000).map { "line \($0)" }
                try (lines.joined(separator: "\n") + "\n").write(toFile: directory + "/in.txt", atomically: true, encoding: .utf8)
                try worker.start([file])
                try await worker.waitUntilReady()
                let topic = ["topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1", "topic": "lines"]
                for (name, config) in [
                    ("in", ["connector.class": "FileStreamSource", "file": directory + "/in.txt"].merging(topic) { $1 }),
                    ("out", ["connector.class": "FileStreamSink", "file": directory + "/out.txt", "topics": "lines"]),
                ] {
                    let body = try JSONSerialization.data(withJSONObject: ["name": name, "config": config])
                    let answer = try worker.request("POST", "/connectors", body: String(decoding: body, as: UTF8.self))
                    #expect(answer.status == 201, "\(answer.body)")
                }
                try await worker.wait("all lines are written") {
                    try String(contentsOfFile: directory + "/out.txt", encoding: .utf8).split(separator: "\n").map(String.init) == lines
                }
                #expect(worker.stop() == 0)
                #expect(!worker.log.contains("connect-secret"))
            }
        }
    }

    @Test func whoIsNotLetInIsToldWhatToDo() async throws {
        try await Self.withSecureKafka { broker, certificates in
            let strange = certificates + "/strange"
            try FileManager.default.createDirectory(atPath: strange, withIntermediateDirectories: false)
            try Certificates.make([:], in: strange)
            var untrusted = Self.login("connect", certificates), noCertificate = untrusted
            untrusted["ssl.truststore.location"] = strange + "/ca.pem"
            noCertificate["ssl.keystore.location"] = nil
            var cases: [(what: String, security: [String: String], said: [String])] = [
                (
                    "a wrong password", Self.login("connect", certificates, password: "wrong-secret"),
                    ["the broker did not accept the login", "sasl.jaas.config"]
                ),
                ("an unknown signer", untrusted, ["TLS failed", "ssl.truststore.location"]),
                ("no certificate", noCertificate, ["TLS failed", "ssl.keystore.location if the broker asks"]),
                ("no TLS", [:], ["incorrect security.protocol configuration"]),
                ("no rights", Self.login("nobody", certificates), ["may not use", "Grant"]),
            ]
            if !KafkaError.knowsSCRAMOfKafka4 {
                let login = Self.login("connect", certificates, isScram: true)
                cases.append(("SCRAM, and librdkafka is too old for it", login, ["the broker did not accept the login", "install 2.6.1 or later"]))
            }
            for (what, security, said) in cases {
                try await withTemporaryDirectory { directory in
                    let (worker, file) = try Self.worker(broker, security, in: directory)
                    defer { worker.kill() }
                    try worker.start([file])
                    try await worker.wait("\(what) is said", seconds: 75) { said.allSatisfy(worker.log.contains) }
                    #expect(!worker.log.contains("-secret"), "\(what)")
                }
            }
        }
    }
}
