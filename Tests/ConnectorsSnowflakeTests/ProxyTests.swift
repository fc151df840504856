import ConnectAPI
import TestSupport
import Testing
import Transport

@testable import ConnectorsObjectStore
@testable import ConnectorsSnowflake

/// `jvm.proxy.*`: the account has a name nobody resolves, and only the proxy leads there.
@Suite(.serialized) struct ProxyTests {
    private func settings(_ server: SnowflakeServer) -> [String: String] {
        let port = server.url.split(separator: ":").last.map(String.init) ?? ""
        return [
            "snowflake.url.name": "http://acc.snowflake.invalid", "jvm.proxy.host": "127.0.0.1", "jvm.proxy.port": port, "jvm.proxy.username": "proxy",
            "jvm.proxy.password": "pass",
        ]
    }

    /// The session and the store behind the stage.
    @Test(arguments: ["presigned", "token", "azure"]) func everythingGoesThroughTheProxy(stage: String) async throws {
        try await withSnowflake { server in
            try server.control("set", ["stage": stage])
            let harness = SnowflakeHarness(server, settings(server))
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<3))
            try await harness.commit(upTo: 3)
            #expect(try harness.ids() == [0, 1, 2])
            let proxied = try server.state()["proxied"] as? [String] ?? []
            #expect(proxied.contains("proxy:pass@acc.snowflake.invalid PUT") && proxied.contains("proxy:pass@acc.snowflake.invalid POST"))
            await harness.crash()
        }
    }

    /// A bucket is asked by its own name; that it is not there is no matter.
    @Test func bucketsAreReachedThroughTheProxy() async throws {
        try await withSnowflake { server in
            let pool = BlockingPool(threads: 1), log = Logger("test")
            defer { pool.stop() }
            let configuration = try SnowflakeSinkConfiguration(SnowflakeHarness(server, settings(server)).settings)
            var s3 = S3Uploads.Place(bucket: "b", region: "us-east-1", endpoint: "http://s3.invalid")
            (s3.pathStyle, s3.accessKey, s3.secretKey, s3.proxy) = (true, "a", Secret("s"), configuration.proxy)
            let toS3 = try S3Uploads(s3, transport: S3Uploads.transport(), pool: pool, log: log, onRetry: { _ in })
            await #expect(throws: ConnectorError.self) { try await toS3.put("k", [1], metadata: [:]) }
            func proxied() throws -> Int { (try server.state()["proxied"] as? [String] ?? []).count { $0.hasPrefix("proxy:pass@s3.invalid ") } }
            let count = try proxied()
            #expect(count > 0)
            // Hosts that need none are asked directly.
            let bypassed = try SnowflakeSinkConfiguration(
                SnowflakeHarness(server, settings(server).merging(["jvm.nonProxy.hosts": "localhost|*.invalid"]) { $1 }).settings)
            s3.proxy = bypassed.proxy
            let direct = try S3Uploads(s3, transport: S3Uploads.transport(), pool: pool, log: log, onRetry: { _ in })
            await #expect(throws: ConnectorError.self) { try await direct.put("k", [1], metadata: [:]) }
            #expect(try proxied() == count)
        }
    }
}
