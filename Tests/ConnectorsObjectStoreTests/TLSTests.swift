import ConnectAPI
import Foundation
import Testing
import TestSupport
import Transport

@testable import ConnectorsObjectStore

/// Stores behind TLS, with certificates that a CA of one's own has signed: openssl makes them, Swift and the GCS emulator stand behind.
@Suite(.serialized) struct TLSTests {
    private func s3(_ server: S3Server, _ front: TLSFront, _ settings: [String: String] = [:], environment: [String: String] = [:]) throws -> (
        S3Store, BlockingPool
    ) {
        let base = [
            "s3.bucket.name": uniqueBucket(), "store.url": front.endpoint, "s3.region": server.region, "aws.access.key.id": server.accessKey,
            "aws.secret.access.key": server.secret, "s3.bucket.create": "true", "flush.size": "3", "format.class": "JsonFormat",
        ]
        let configuration = try S3SinkConfiguration(base.merging(settings) { $1 })
        guard case .bucket(let endpoint) = try configuration.location else { throw ConnectorError("test", .stop, "no bucket") }
        var client = configuration.clientSettings(endpoint)
        client.retry = RetryPolicy(retries: 1, base: 10)
        client.credentials.environment = { environment[$0] }
        let pool = BlockingPool(threads: 4)
        return (S3Store(S3Client(client, pool: pool, log: Logger("test")), configuration.storeOptions, log: Logger("test")), pool)
    }

    @Test func aStoreOfAnOwnCAIsTrustedOnceTheCAIs() async throws {
        try await withSwiftS3 { server in
            try await withTemporaryDirectory { directory in
                let front = try TLSFront(to: server.port, in: directory), profile = directory + "/config"
                defer { front.stop() }
                try "[default]\nca_bundle = \(front.authority)\n".write(toFile: profile, atomically: true, encoding: .utf8)
                for (settings, environment) in [
                    (["ssl.truststore.location": front.authority], [:]), ([:], ["AWS_CA_BUNDLE": front.authority]), ([:], ["AWS_CONFIG_FILE": profile]),
                ] {
                    let (store, pool) = try s3(server, front, settings, environment: environment)
                    defer { pool.stop() }
                    try await store.prepare()
                    // Over TLS bodies are not signed: Swift checks their CRC32C.
                    #expect(try await store.put("dir/a+b=c", [1, 2, 3], ObjectAttributes(metadata: ["a": "b"]), ifAbsent: true) == .stored)
                    let part = [UInt8](repeating: 7, count: 5 << 20), upload = try await store.beginUpload("large", ObjectAttributes())
                    let parts = [
                        try await store.uploadPart(upload, number: 1, offset: 0, part), try await store.uploadPart(upload, number: 2, offset: 5 << 20, [9]),
                    ]
                    #expect(try await store.complete(upload, parts, ObjectAttributes(), ifAbsent: true) == .stored)
                    #expect(try await store.head("large")?.size == 5 << 20 | 1)
                    #expect(try await store.read("dir/a+b=c", 0..<9) == [1, 2, 3])
                }
            }
        }
    }

    @Test func aCertificateThatIsNotTrustedStopsTheTaskWithAWayOut() async throws {
        try await withSwiftS3 { server in
            try await withTemporaryDirectory { directory in
                let front = try TLSFront(to: server.port, in: directory)
                defer { front.stop() }
                let other = directory + "/other"
                try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: true)
                let stranger = try TLSFront(to: server.port, in: other)
                defer { stranger.stop() }
                let system = ProcessInfo.processInfo.environment["SSL_CERT_FILE"].flatMap { $0.isEmpty ? nil : $0 } ?? "the system's"
                for (settings, environment, by) in [
                    ([:], [:], system), (["ssl.truststore.location": stranger.authority], [:], stranger.authority),
                    ([:], ["AWS_CA_BUNDLE": directory + "/missing.pem"], "missing.pem"),
                ] as [([String: String], [String: String], String)] {
                    let (store, pool) = try s3(server, front, settings, environment: environment)
                    defer { pool.stop() }
                    let error = await #expect(throws: ConnectorError.self) { try await store.prepare() }
                    #expect(error?.code == "transport.certificate" && error?.disposition == .stop, "\(error.map { "\($0)" } ?? "")")
                    #expect(error?.message.contains("127.0.0.1:\(front.port)") == true && error?.message.contains(by) == true, "\(error?.message ?? "")")
                    #expect(error?.hint?.contains("ssl.truststore.location") == true)
                }
                func findings(_ values: [String: String]) -> [String] {
                    let base = ["s3.bucket.name": "b", "flush.size": "3", "format.class": "JsonFormat"]
                    return S3SinkConfiguration.parse(base.merging(values) { $1 }).findings.map(\.message)
                }
                try "not a certificate".write(toFile: directory + "/keystore.jks", atomically: true, encoding: .utf8)
                #expect(findings(["ssl.truststore.location": front.authority]).isEmpty)
                #expect(findings(["ssl.truststore.location": directory + "/none"]).first?.contains("cannot be read") == true)
                #expect(findings(["ssl.truststore.location": directory + "/keystore.jks"]).first?.contains("keytool") == true)
                #expect(findings(["ssl.truststore.location": front.authority, "ssl.truststore.type": "JKS"]).count == 1)
            }
        }
    }

    @Test func cloudStorageMayHaveAnOwnCAToo() async throws {
        try await withGCSEmulator { server in
            try await withTemporaryDirectory { directory in
                let port = server.endpoint.split(separator: ":").last.flatMap { Int($0) } ?? 0
                let front = try TLSFront(to: port, in: directory)
                defer { front.stop() }
                for trusts in [true, false] {
                    var settings = ["gcs.bucket.name": server.bucket, "gcs.endpoint": front.endpoint]
                    if trusts { settings["ssl.truststore.location"] = front.authority }
                    let pool = BlockingPool(threads: 2)
                    defer { pool.stop() }
                    let connector = try GCSSinkConnector(GCSSinkConfiguration(settings))
                    let store = try connector.store(pool, Logger("test"), onRetry: { _ in }, patience: .validation)
                    if trusts {
                        #expect(try await store.put("tls/\(UUID().uuidString)", [1, 2], ObjectAttributes(), ifAbsent: false) == .stored)
                    } else {
                        let error = await #expect(throws: ConnectorError.self) { _ = try await store.head("tls/a") }
                        #expect(error?.code == "transport.certificate")
                    }
                }
            }
        }
    }
}
