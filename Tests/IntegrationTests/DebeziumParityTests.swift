import Testing
import TestSupport

/// The real binary on a real PostgreSQL gives the records that Debezium 3.3.1 gave, byte for byte.
@Suite(.serialized) struct DebeziumParityTests {
    /// Recorded scenarios whose every record must be equal.
    static let scenarios = [
        "default", "schemas-disabled", "unwrap-default", "unwrap-drop", "no-tombstones", "snapshot-initial-only", "special-values",
        "incremental-snapshot", "tx-metadata",
    ]

    @Test func recordsEqualDebezium() async throws { try await play([:]) }

    /// The same topics in a real broker, read with kcat.
    @Test(.enabled(if: KafkaBroker.isAvailable)) func recordsInKafkaEqualDebezium() async throws {
        try await withKafka { try await play(["KAFKA": $0.bootstrapServers]) }
    }

    private func play(_ environment: [String: String]) async throws {
        let server = try PostgresServer.start()
        try await withTemporaryDirectory { directory in
            let worker = try SluiceWorker(directory: directory)
            try worker.start(environment: environment["KAFKA"].map { ["CONNECT_BOOTSTRAP_SERVERS": $0] } ?? [:])
            try await worker.waitUntilReady()
            let report = try Subprocess.run(
                Python.path,
                [Checkout.root + "/Tests/Debezium/parity.py", SluiceWorker.binary, String(server.port), String(worker.port)]
                    + Self.scenarios, environment: environment)
            print(report)
            #expect(worker.stop() == 0)
        }
    }
}
