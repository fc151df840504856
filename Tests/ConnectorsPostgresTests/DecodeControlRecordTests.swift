import ConnectAPI
import JSON
import Testing

@testable import ConnectorsPostgres

@Suite struct DecodeControlRecordTests {
    @Test func heartbeatsEqualTheRecording() throws {
        let recorded = try Rendered.recorded("heartbeat", "__debezium-heartbeat.heartbeat")[0]
        let control = ControlRecords(source: SourceIdentity(name: "heartbeat", database: "golden"), conversion: ValueConversion())
        let got = try Rendered.records(control.heartbeat(topic: "__debezium-heartbeat.heartbeat", nowNanos: 1_795_220_969_833_000_000))[0]
        #expect(got == recorded)
    }

    @Test func transactionBoundariesEqualTheRecording() throws {
        let recorded = try Rendered.recorded("tx-metadata", "tx_metadata.transaction")
        let control = ControlRecords(source: SourceIdentity(name: "tx_metadata", database: "golden"), conversion: ValueConversion())
        let boundaries = try recorded.map { record in
            let payload = try #require(try JSONValue.parse(record.value ?? "")["payload"]), id = try #require(payload["id"]?.stringValue).split(separator: ":")
            return ControlRecords.TransactionBoundary(
                xid: UInt32(id[0])!, lsn: UInt64(id[1])!, commitMicros: payload["ts_ms"]!.integerValue! * 1000,
                counts: payload["data_collections"]?.arrayValue?.map { ($0["data_collection"]!.stringValue!, $0["event_count"]!.integerValue!) },
                processedNanos: 0)
        }
        let got = try Rendered.records(control.transactions(boundaries, topic: "tx_metadata.transaction"))
        #expect(got == recorded)
    }
}
