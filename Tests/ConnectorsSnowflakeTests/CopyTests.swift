import ConnectAPI
import TestSupport
import Testing

@testable import ConnectorsSnowflake

@Suite(.serialized) struct CopyTests {
    @Test func rowsOfTheKafkaLayoutArriveOnce() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server)
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<7))
            try await harness.commit(upTo: 6)
            #expect(try harness.ids() == Array(0..<6))
            // The seventh waits for its file to be full or old.
            harness.clock.advance(121_000)
            try await harness.commit(upTo: 7)
            #expect(try harness.ids() == Array(0..<7))
            let metadata = try server.sql("SELECT RECORD_METADATA:topic::VARCHAR, RECORD_METADATA:offset::INT, RECORD_METADATA:key::VARCHAR FROM D.S.\(harness.table) ORDER BY 2")
            #expect(metadata[6] == ["orders", "6", "k6"])
            await harness.crash()
        }
    }
}
