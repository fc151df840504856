import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import ConnectRuntime

/// TLS, basic authentication, admin listeners and added headers, as real clients meet them: openssl makes the certificates, curl asks.
@Suite struct RestSecurityTests {
    /// A signer, a server's certificate and key for 127.0.0.1, and a client's, in PEM files.
    static func identities(in directory: String) throws {
        try Certificates.make(["server": "/CN=127.0.0.1", "client": "/CN=a client"], in: directory)
        let server = directory + "/server"
        try Subprocess.run(
            "openssl", ["pkcs8", "-topk8", "-v2", "aes256", "-passout", "pass:hush", "-in", server + ".key", "-out", directory + "/locked.key"])
    }

    /// Serves a model herder as a worker file would have it, and hands over the ports.
    private static func serving(_ worker: [String: String], _ body: @escaping @Sendable ([UInt16]) async throws -> Void) async throws {
        let config = try WorkerConfig(file: worker)
        let server = try RestServer(ModelHerder(), RestOptions(config))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await server.run() }
            defer { server.stop() }
            try await body(server.ports)
        }
    }

    /// Status and body of one request; 0 when there was no answer.
    private static func curl(_ arguments: String...) async throws -> (status: Int, body: String) {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        let script = "curl -sS -m 10 -w '\\n%{http_code}' \"$@\" 2>/dev/null || true"
                        let out = try Subprocess.run("bash", ["-c", script, "curl"] + arguments)
                        let cut = out.lastIndex(of: "\n") ?? out.startIndex
                        return (Int(out[cut...].trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0, String(out[..<cut]))
                    })
            }
        }
    }

    @Test func httpsListensBesideHttp() async throws {
        try await withTemporaryDirectory { directory in
            try Self.identities(in: directory)
            let worker = [
                "listeners": "http://127.0.0.1:0,https://127.0.0.1:0", "listeners.https.ssl.keystore.type": "PEM",
                "listeners.https.ssl.keystore.location": directory + "/server-keystore.pem",
            ]
            try await Self.serving(worker) { (ports: [UInt16]) async throws in
                #expect(try await Self.curl("http://127.0.0.1:\(ports[0])/health").status == 200)
                let answer = try await Self.curl("--cacert", directory + "/ca.pem", "https://127.0.0.1:\(ports[1])/connectors")
                #expect(answer.status == 200 && answer.body == "[]")
                #expect(try await Self.curl("https://127.0.0.1:\(ports[1])/health").status == 0, "an unknown signer")
                #expect(try await Self.curl("--cacert", directory + "/ca.pem", "--tls-max", "1.1", "https://127.0.0.1:\(ports[1])/health").status == 0)
            }
            // Texts instead of files, a key with a password, and the worker's own ssl.* keys.
            func text(_ name: String) throws -> String { try String(contentsOfFile: "\(directory)/\(name)", encoding: .utf8) }
            let inline = [
                "listeners": "https://127.0.0.1:0", "ssl.keystore.certificate.chain": try text("server.pem"), "ssl.keystore.key": try text("locked.key"),
                "ssl.key.password": "hush", "ssl.enabled.protocols": "TLSv1.3",
            ]
            try await Self.serving(inline) { (ports: [UInt16]) async throws in
                #expect(try await Self.curl("--cacert", directory + "/ca.pem", "https://127.0.0.1:\(ports[0])/health").status == 200)
                #expect(try await Self.curl("--cacert", directory + "/ca.pem", "--tls-max", "1.2", "https://127.0.0.1:\(ports[0])/health").status == 0)
            }
        }
    }

    @Test func clientsShowACertificateWhereTheyMust() async throws {
        try await withTemporaryDirectory { directory in
            try Self.identities(in: directory)
            for (asked, without) in [("required", 403), ("requested", 200), ("none", 200)] {
                let worker = [
                    "listeners": "https://127.0.0.1:0", "listeners.https.ssl.keystore.type": "PEM",
                    "listeners.https.ssl.keystore.location": directory + "/server-keystore.pem", "listeners.https.ssl.truststore.type": "PEM",
                    "listeners.https.ssl.truststore.location": directory + "/ca.pem", "listeners.https.ssl.client.auth": asked,
                ]
                try await Self.serving(worker) { (ports: [UInt16]) async throws in
                    let url = "https://127.0.0.1:\(ports[0])/health", trusting = ["--cacert", directory + "/ca.pem"]
                    #expect(try await Self.curl(trusting[0], trusting[1], url).status == without, "\(asked)")
                    let known = try await Self.curl(
                        trusting[0], trusting[1], "--cert", directory + "/client.pem", "--key", directory + "/client.key", url)
                    #expect(known.status == 200, "\(asked)")
                }
            }
        }
    }

    @Test func badIdentitiesAreRefusedWithTheWayOut() async throws {
        try await withTemporaryDirectory { directory in
            let https = ["listeners": "https://127.0.0.1:0"]
            func error(_ worker: [String: String]) -> ConnectorError? {
                do {
                    _ = try RestServer(ModelHerder(), RestOptions(WorkerConfig(file: https.merging(worker) { $1 })))
                    return nil
                } catch { return error as? ConnectorError }
            }
            #expect(error([:])?.hint?.contains("listeners.https.ssl.keystore.location") == true)
            #expect(error(["ssl.keystore.location": "/x.jks", "ssl.keystore.password": "p"])?.hint?.contains("keytool") == true)
            #expect(error(["ssl.keystore.location": directory + "/none", "ssl.keystore.type": "PEM"])?.message.contains("Could not open") == true)
            try "nothing".write(toFile: directory + "/empty.pem", atomically: true, encoding: .utf8)
            #expect(error(["ssl.keystore.location": directory + "/empty.pem", "ssl.keystore.type": "PEM"])?.message.contains("no certificate") == true)
            #expect(error(["ssl.cipher.suites": "TLS_X"])?.code == "worker.config" && error(["ssl.client.auth": "maybe"])?.code == "worker.config")
        }
    }

    private static let users = "# who may\nana=s3cret\nbob = pa:ss word\n"

    private static func jaas(in directory: String) throws -> String {
        try users.write(toFile: directory + "/users.properties", atomically: true, encoding: .utf8)
        let jaas = """
            // Kafka's own client
            KafkaClient { org.apache.kafka.common.security.plain.PlainLoginModule required username="a" password="b"; };
            KafkaConnect {
              /* one module */ \(BasicAuthentication.extensionClass.replacingOccurrences(of: "BasicAuthSecurityRestExtension", with: "PropertyFileLoginModule")) required
                file="\(directory)/users.properties";
            };
            """
        try jaas.write(toFile: directory + "/jaas.conf", atomically: true, encoding: .utf8)
        return directory + "/jaas.conf"
    }

    @Test func everyRouteAsksForAUser() async throws {
        try await withTemporaryDirectory { directory in
            let worker = [
                "listeners": "http://127.0.0.1:0", "rest.extension.classes": BasicAuthentication.extensionClass,
                "java.security.auth.login.config": try Self.jaas(in: directory),
            ]
            try await Self.serving(worker) { (ports: [UInt16]) async throws in
                let base = "http://127.0.0.1:\(ports[0])"
                for path in ["/", "/connectors", "/health", "/admin/loggers", "/metrics", "/no/such"] {
                    let answer = try await Self.curl(base + path)
                    #expect(answer.status == 401 && answer.body == "User cannot access the resource.", "\(path)")
                }
                for wrong in ["ana:", "ana:s3cre", "ana:s3cret2", "eve:s3cret", ":", "ana"] {
                    #expect(try await Self.curl("-u", wrong, base + "/connectors").status == 401, "\(wrong)")
                }
                #expect(try await Self.curl("-H", "Authorization: Basic %%%", base + "/connectors").status == 401)
                #expect(try await Self.curl("-H", "Authorization: Bearer YW5hOnMzY3JldA==", base + "/connectors").status == 401)
                for right in ["ana:s3cret", "bob:pa:ss word"] { #expect(try await Self.curl("-u", right, base + "/connectors").status == 200, "\(right)") }
                // Signed by workers among each other instead.
                #expect(try await Self.curl("-X", "PUT", base + "/connectors/x/fence").status != 401)
            }
        }
    }

    @Test func theLoginConfigurationMayStandInKafkaOpts() async throws {
        try await withTemporaryDirectory { directory in
            let path = try Self.jaas(in: directory)
            let worker = try WorkerConfig(
                file: ["listeners": "http://127.0.0.1:0", "rest.extension.classes": BasicAuthentication.extensionClass],
                environment: ["KAFKA_OPTS": "-Xmx1g \"-Djava.security.auth.login.config=\(path)\" -Dx=y".replacingOccurrences(of: "\"", with: "")])
            #expect(try RestOptions(worker).authentication != nil)
            #expect(throws: ConnectorError.self) { try RestOptions(WorkerConfig(file: ["rest.extension.classes": BasicAuthentication.extensionClass])) }
            #expect(throws: ConnectorError.self) { try WorkerConfig(file: ["rest.extension.classes": "com.example.Other"]) }
            for broken in ["KafkaConnect {", "KafkaConnect { x.Y required file=\"a\"; };", "KafkaConnect { };", "Other { };", "KafkaConnect { a b c \"d", "{"] {
                try broken.write(toFile: directory + "/broken.conf", atomically: true, encoding: .utf8)
                #expect(throws: ConnectorError.self, "\(broken)") { try BasicAuthentication(jaasFile: directory + "/broken.conf") }
            }
            try "".write(toFile: directory + "/users.properties", atomically: true, encoding: .utf8)
            #expect(throws: ConnectorError.self, "nobody") { try BasicAuthentication(jaasFile: path) }
        }
    }

    @Test func adminRoutesMoveToTheirOwnListeners() async throws {
        try await Self.serving(["listeners": "http://127.0.0.1:0", "admin.listeners": "http://127.0.0.1:0"]) { (ports: [UInt16]) async throws in
            #expect(ports.count == 2)
            #expect(try await Self.curl("http://127.0.0.1:\(ports[0])/admin/loggers").status == 404)
            #expect(try await Self.curl("http://127.0.0.1:\(ports[1])/admin/loggers").status == 200)
            #expect(try await Self.curl("http://127.0.0.1:\(ports[1])/connectors").status == 404)
        }
        try await Self.serving(["listeners": "http://127.0.0.1:0", "admin.listeners": ""]) { (ports: [UInt16]) async throws in
            #expect(ports.count == 1)
            #expect(try await Self.curl("http://127.0.0.1:\(ports[0])/admin/loggers").status == 404)
        }
    }

    @Test func configuredHeadersAreOnEveryAnswer() async throws {
        let rules = "set X-Frame-Options: DENY, \"add Cache-Control: no-cache, no-store\", setDate Expires: 0"
        try await Self.serving(["listeners": "http://127.0.0.1:0", "response.http.headers.config": rules]) { (ports: [UInt16]) async throws in
            let answer = try await Self.curl("-i", "http://127.0.0.1:\(ports[0])/connectors/none")
            #expect(answer.status == 404 && answer.body.contains("X-Frame-Options: DENY") && answer.body.contains("Cache-Control: no-cache, no-store"))
            #expect(answer.body.contains("Expires: "))
        }
        #expect(ResponseHeaders.date(784_111_777_000) == "Sun, 06 Nov 1994 08:49:37 GMT")
        for bad in ["X: y", "set X", "setDate X: soon", "put X: y"] { #expect(throws: ConnectorError.self, "\(bad)") { try ResponseHeaders(bad) } }
    }
}
