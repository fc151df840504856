import ConnectAPI
import TestSupport
import Testing

@testable import ConnectorsSnowflake

@Suite(.serialized) struct ColumnsTests {
    private func batch(_ schema: Schema, _ values: [Value], from offset: Int64) -> ConsumedBatch {
        let batch = RecordBatch(
            topic: "orders", count: values.count, key: nil, value: Column(schema, values),
            timestamps: .constant(1_700_000_000_000, RecordBatch.timestampSchema, count: values.count))
        return ConsumedBatch(batch, from: SnowflakeHarness.partition, offsets: .contiguous(from: offset), nextOffset: offset + Int64(values.count))
    }

    @Test func everyTypeLandsInAColumnOfItsMeaning() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server, ["snowflake.enable.schematization": "true"])
            let decimal = Schema(
                .bytes, optional: true, name: LogicalName.decimal, parameters: [.init("scale", "2"), .init("connect.decimal.precision", "10")])
            let schema = Schema.struct([
                .init("i", Schema(.int32)), .init("l", Schema(.int64)), .init("f", Schema(.float64)), .init("ok", Schema(.boolean)),
                .init("s", Schema(.string)),
                .init("dec", decimal), .init("day", Schema(.int32, name: LogicalName.date)), .init("cday", Schema(.int32, name: LogicalName.connectDate)),
                .init("ts", Schema(.int64, name: LogicalName.microTimestamp)), .init("cts", Schema(.int64, name: LogicalName.connectTimestamp)),
                .init("tz", Schema(.string, name: LogicalName.zonedTimestamp)), .init("tm", Schema(.int64, name: LogicalName.microTime)),
                .init("js", Schema(.string, optional: true, name: LogicalName.json)), .init("arr", Schema.array(Schema(.int32))),
                .init("st", Schema.struct([.init("a", Schema(.int32))])), .init("bin", Schema(.bytes)), .init("none", Schema(.string, optional: true)),
            ])
            let row: Value = .struct([
                1, 2, .double(2.5), true, "x", .bytes(Int128(12_345).bigEndianTwosComplement), 19_782, 19_782, 1_709_205_255_123_456, 1_709_205_255_123,
                "2024-02-29T11:14:15.123456Z", 40_455_123_456, #"{"k":[1]}"#, .array([1, 2]), .struct([7]), .bytes([1, 255]), .null,
            ])
            try await harness.start()
            try await harness.write(batch(schema, [row, row, row], from: 0))
            try await harness.commit(upTo: 3)
            let types = try server.sql("DESCRIBE TABLE D.S.\(harness.table)").map { "\($0[0] ?? "") \($0[1] ?? "")" }
            for type in [
                "I NUMBER(38,0)", "F FLOAT", "OK BOOLEAN", "DEC NUMBER(10,2)", "DAY DATE", "CDAY DATE", "TS TIMESTAMP_NTZ(9)", "JS VARIANT", "ST VARIANT",
                "BIN BINARY(8388608)",
                "RECORD_METADATA VARIANT",
            ] { #expect(types.contains(type), "\(type) in \(types)") }
            let got = try server.sql(
                "SELECT I, L, F, OK, S, DEC, DAY::VARCHAR, CDAY::VARCHAR, TS::VARCHAR, CTS::VARCHAR, JS:k[0]::INT, ARR[1]::INT, ST:a::INT, NONE, RECORD_METADATA:offset::INT, TM::VARCHAR FROM D.S.\(harness.table) ORDER BY 15"
            )[0]
            #expect(got[0] == "1" && got[2] == "2.5" && got[5] == "123.45" && got[6] == "2024-02-29" && got[7] == "2024-02-29")
            #expect(got[8]?.hasPrefix("2024-02-29 11:14:15.123456") == true && got[9]?.hasPrefix("2024-02-29 11:14:15.123") == true)
            #expect(Array(got[10...14]) == ["1", "2", "7", nil, "0"])
            #expect(got[15]?.hasPrefix("11:14:15.123456") == true)
            await harness.crash()
        }
    }

    @Test func newFieldsBecomeColumnsAndMissingOnesMayBeNull() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server, ["snowflake.table.layout": "columns", "snowflake.metadata.all": "false"])
            try server.sql("CREATE TABLE D.S.\(harness.table) (ID INT NOT NULL, GONE INT NOT NULL)")
            let one = Schema.struct([.init("id", Schema(.int64))])
            let two = Schema.struct([.init("id", Schema(.int64, optional: true)), .init("name", Schema(.string)), .init("\"MixedCase\"", Schema(.int32))])
            try await harness.start()
            try await harness.write(batch(one, [.struct([0]), .struct([1])], from: 0))
            try await harness.write(batch(two, [.struct([2, "b", 5]), .struct([.null, "c", 6])], from: 2))
            harness.clock.advance(121_000)
            try await harness.commit(upTo: 4)
            let rows = try server.sql("SELECT ID, GONE, NAME, \"MixedCase\" FROM D.S.\(harness.table) ORDER BY NAME NULLS FIRST, ID")
            #expect(rows == [["0", nil, nil, nil], ["1", nil, nil, nil], ["2", nil, "b", "5"], [nil, nil, "c", "6"]])
            // The change of columns cut a file.
            #expect(harness.metrics["files_staged_total"] == 2)
            await harness.crash()
        }
    }

    @Test func withoutEvolutionTheMissingColumnIsNamed() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(
                server, ["snowflake.table.layout": "columns", "snowflake.schema.evolution": "false", "snowflake.metadata.all": "false"])
            try server.sql("CREATE TABLE D.S.\(harness.table) (ID INT)")
            try await harness.start()
            let error = await #expect(throws: ConnectorError.self) { try await harness.write(SnowflakeHarness.batch(0..<1)) }
            #expect(error?.code == "snowflake.columns_missing")
            #expect(error?.hint?.contains("ADD COLUMN NAME VARCHAR") == true)
            await harness.crash()
        }
    }

    @Test func valuesWithoutFieldsAreRejected() throws {
        let batch = RecordBatch(
            topic: "t", count: 1, key: nil, value: Column(Schema(.string), ["x"]), timestamps: .constant(0, RecordBatch.timestampSchema, count: 1))
        let consumed = ConsumedBatch(batch, from: SnowflakeHarness.partition, offsets: .contiguous(from: 0), nextOffset: 1)
        let error = #expect(throws: ConnectorError.self) { try RowLayout(layout: .columns).rows(consumed, now: 0) }
        #expect(error?.disposition == .reject)
    }

    @Test func limitsAreReadFromTypes() {
        for (type, limit) in [
            ("VARCHAR(20)", ColumnFit.Limit.text(20)), ("VARCHAR(16777216)", nil), ("NUMBER(10,2)", .digits(8)), ("NUMBER(38,0)", nil),
            ("BINARY(5)", .bytes(5)),
            ("FLOAT", nil), ("VARCHAR(", nil), ("NUMBER(x,y)", nil), ("", nil),
        ] { #expect(ColumnFit.limit(type) == limit, "\(type)") }
    }

    @Test func valuesThatDoNotFitTheirColumnsAreRejectedOneByOne() throws {
        let decimal = Schema(.bytes, name: LogicalName.decimal, parameters: [.init("scale", "2")])
        let schema = Schema.struct([
            .init("name", Schema(.string, optional: true)), .init("n", Schema(.int64)), .init("d", decimal), .init("b", Schema(.bytes)),
        ])
        func row(_ name: Value, _ n: Int64, _ d: Int128, _ b: [UInt8]) -> Value { .struct([name, .integer(n), .bytes(d.bigEndianTwosComplement), .bytes(b)]) }
        let consumed = batch(
            schema,
            [
                row("éééé", 999, 99_999, [1, 2]), row("ééééé", 1, 1, []), row(.null, 1000, 1, []), row("x", -999, 100_000, []), row("x", -1000, 1, []),
                row("", 0, -99_999, [1, 2, 3]),
            ], from: 40)
        var rows = try RowLayout(layout: .columns, metadata: RecordMetadata(isIncluded: false)).rows(consumed, now: 0)
        rows.rejectMisfits(["NAME": "VARCHAR(4)", "N": "NUMBER(3,0)", "D": "NUMBER(5,2)", "B": "BINARY(2)"], consumed)
        #expect(rows.rejected.map(\.row) == [1, 2, 3, 4, 5])
        #expect(rows.rejected[0].error.message.contains("offset 41") && rows.rejected[0].error.message.contains("NAME VARCHAR(4)"))
        #expect(rows.rejected.allSatisfy { $0.error.disposition == .reject && !$0.error.message.contains("é") })
    }
}
