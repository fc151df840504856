import ConnectAPI
import Foundation
import JSON
import TestSupport
import Testing

@testable import ConnectorsSnowflake

/// RECORD_CONTENT and RECORD_METADATA against what Snowflake's connector 3.5 writes (RecordService.convertToJson and processRecord).
@Suite struct LayoutTests {
    private func texts(_ layout: RowLayout, _ batch: RecordBatch) throws -> [[String: String]] {
        let rows = try layout.rows(
            ConsumedBatch(batch, from: TopicPartition("t", 3), offsets: .contiguous(from: 7), nextOffset: 7 + Int64(batch.count)), now: 1_234)
        return (0..<batch.count).map { row in
            Dictionary(
                uniqueKeysWithValues: rows.columns.enumerated().compactMap { i, column in
                    rows.values.child(at: i)[row].stringValue.map { (column.name, $0) }
                })
        }
    }

    private func batch(_ value: Column?, key: Column? = nil, headers: [HeaderColumn] = [], tombstones: Bitmap? = nil, count: Int = 1) -> RecordBatch {
        RecordBatch(
            topic: "t", count: count, key: key, value: value, tombstones: tombstones,
            timestamps: .constant(1_700_000_000_000, RecordBatch.timestampSchema, count: count),
            headers: headers)
    }

    @Test func contentIsTheVendors() throws {
        let decimal = Schema(.bytes, optional: true, name: LogicalName.decimal, parameters: [.init("scale", "2")])
        let schema = Schema.struct([
            .init("i8", Schema(.int8)), .init("f", Schema(.float32)), .init("d", Schema(.float64)), .init("nan", Schema(.float64)), .init("s", Schema(.string)),
            .init("b", Schema(.bytes)), .init("date", Schema(.int32, name: LogicalName.connectDate)),
            .init("time", Schema(.int32, name: LogicalName.connectTime)),
            .init("ts", Schema(.int64, name: LogicalName.connectTimestamp)), .init("dec", decimal), .init("big", decimal),
            .init("none", Schema(.string, optional: true)),
            .init("std", Schema(.int32, optional: true, default: 5)), .init("arr", Schema.array(Schema(.int64, name: LogicalName.connectTimestamp))),
            .init("map", Schema.map(Schema(.string), Schema(.int32))), .init("odd", Schema.map(Schema(.int32), Schema(.string))),
            .init("debezium", Schema(.int64, name: LogicalName.microTimestamp)),
        ])
        let big: Int128 = Int128("99999999999999999999999999999999999999")! + 1
        let value = Column(
            schema,
            [
                .struct([
                    1, .float(1.5), .double(0.1), .double(.nan), "x\"é", .bytes([1, 2, 255]), 19_782, 40_455_123, 1_709_205_255_123,
                    .bytes(Int128(12_345).bigEndianTwosComplement), .bytes(big.bigEndianTwosComplement), .null, .null, .array([0, 1]),
                    .map([.init("a", 1)]), .map([.init(1, "a")]), 1_709_205_255_123_456,
                ])
            ])
        let row = try texts(RowLayout(layout: .kafka), batch(value))[0]
        #expect(
            row["RECORD_CONTENT"]
                == #"{"i8":1,"f":1.5,"d":0.1,"nan":"NaN","s":"x\"é","b":"AQL/","date":"2024-02-29T00:00:00.000Z","time":"11:14:15.123+0000","ts":"1709205255123","dec":123.45,"big":"1000000000000000000000000000000000000.00","none":null,"std":5,"arr":["0","1"],"map":{"a":1},"odd":[[1,"a"]],"debezium":1709205255123456}"#
        )
    }

    @Test func metadataIsTheVendors() throws {
        let key = Column(Schema.struct([.init("id", Schema(.int32))]), [.struct([5])])
        let headers = [
            HeaderColumn("h", Column(Schema(.string), ["a"])), HeaderColumn("n", Column(Schema(.int64), [7])),
            HeaderColumn("h", Column(Schema(.string), ["b"])),
            HeaderColumn("absent", Column(Schema(.string), ["c"]), present: Bitmap([false])),
        ]
        let value = Column(Schema(.string), ["text"])
        let whole = try texts(RowLayout(layout: .kafka), batch(value, key: key, headers: headers))[0]
        #expect(whole["RECORD_CONTENT"] == "\"text\"")
        #expect(whole["RECORD_METADATA"] == #"{"topic":"t","offset":7,"partition":3,"CreateTime":1700000000000,"key":{"id":5},"headers":{"h":"b","n":7}}"#)
        var metadata = RecordMetadata()
        metadata.topic = false
        metadata.createTime = false
        metadata.pushTime = true
        let part = try texts(RowLayout(layout: .kafka, metadata: metadata), batch(value, key: Column(Schema(.string, optional: true), ["k"])))[0]
        #expect(part["RECORD_METADATA"] == #"{"offset":7,"partition":3,"SnowflakeConnectorPushTime":1234,"key":"k"}"#)
        metadata.isIncluded = false
        #expect(try texts(RowLayout(layout: .kafka, metadata: metadata), batch(value))[0]["RECORD_METADATA"] == nil)
    }

    @Test func nullsAreEmptyObjects() throws {
        let schema = Schema.struct([.init("after", Schema.struct([.init("id", Schema(.int32))], optional: true))])
        let value = Column(schema, [.struct([.struct([1])]), .struct([.null]), .null])
        var layout = RowLayout(layout: .seed)
        #expect(try texts(layout, batch(nil, tombstones: nil, count: 2)).map { $0["DATA"] } == ["{}", "{}"])
        layout.payloadPath = ["after"]
        #expect(try texts(layout, batch(value, tombstones: Bitmap([false, false, true]), count: 3)).map { $0["DATA"] } == [#"{"id":1}"#, "{}", "{}"])
        layout.payloadPath = ["before"]
        #expect(throws: ConnectorError.self) { try texts(layout, batch(value, count: 3)) }
    }

    @Test func aRowThatCannotBeWrittenIsRejectedAlone() throws {
        let value = Column(Schema.struct([.init("id", Schema(.int32))]), [.struct([1]), .struct([.null]), .struct([3])])
        let consumed = ConsumedBatch(batch(value, count: 3), from: TopicPartition("t", 0), offsets: .contiguous(from: 0), nextOffset: 3)
        let rows = try RowLayout(layout: .kafka).rows(consumed, now: 0)
        #expect(rows.rejected.map(\.row) == [1])
    }

    /// However a batch is cut, the same rows come out.
    @Test func boundariesOfBatchesCarryNoMeaning() throws {
        var random = SeededGenerator.printed()
        let whole = SnowflakeHarness.batch(0..<200, tombstones: [3, 77], large: [50])
        for layout in TableLayout.allCases {
            let rows = RowLayout(layout: layout, addsPosition: true)
            let expected = try rows.rows(whole, now: 0).values
            var at = 0, got: [Value] = []
            while at < 200 {
                let end = min(200, at + Int.random(in: 1...40, using: &random))
                let part = ConsumedBatch(
                    whole.batch.slice(at..<end), from: whole.partition, offsets: .contiguous(from: Int64(at)), nextOffset: Int64(end))
                let values = try rows.rows(part, now: 0).values
                got += (0..<values.count).map { values[$0] }
                at = end
            }
            #expect(got == (0..<200).map { expected[$0] }, "\(layout)")
        }
    }
}
