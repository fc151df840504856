import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import Parquet

/// What Connect's and Debezium's schemas become, and what is refused.
@Suite struct MappingTests {
    private func file(_ fields: [(String, Schema)]) -> Schema { Schema.struct(fields.map { Schema.Field($0.0, $0.1) }) }

    private func one(_ schema: Schema, _ values: [Value]) -> Column { Column(file([("v", schema)]), values.map { .struct([$0]) }) }

    private func wrapped(_ column: Column) -> Column { Column(file([("v", column.schema)]), count: column.count, .struct([column])) }

    /// pyarrow's reading of the schema: physical types, logical types and nesting.
    @Test func schemaIsWhatTheMappingPromises() async throws {
        let nested: [(String, Schema)] = [
            ("array", .array(Schema(.int32), optional: true)), ("map", .map(Schema(.string), Schema(.int64, optional: true))),
            ("numbers", .map(Schema(.int16), Schema(.float64))), ("struct", .struct([Schema.Field("a", Schema(.boolean))])),
            ("variableScale", Self.variableScale),
        ]
        let schema = file(RandomColumns.scalars.map { ($0.name, $0.schema) } + nested)
        let column = Column(schema, [.struct(schema.fields.map { _ in .null })])
        func timestamp(_ utc: Bool) -> String {
            "Timestamp(isAdjustedToUTC=\(utc), timeUnit=microseconds, is_from_converted_type=false, force_set_converted_type=false)"
        }
        let lines = [
            "boolean boolean", "int32 int8 Int(bitWidth=8, isSigned=true)", "int32 int16 Int(bitWidth=16, isSigned=true)", "int32 int32",
            "int64 int64", "float float32", "double float64", "binary text String", "binary json String", "binary enumeration String",
            "binary uuid String", "binary bytes", "binary bits", "int32 decimal9 Decimal(precision=9, scale=2)",
            "int64 decimal10 Decimal(precision=10, scale=3)", "int64 decimal18 Decimal(precision=18, scale=2)",
            "fixed_len_byte_array(9) decimal19 Decimal(precision=19, scale=4)",
            "fixed_len_byte_array(16) decimal38 Decimal(precision=38, scale=10)",
            "fixed_len_byte_array(16) decimalUnknown Decimal(precision=38, scale=5)",
            "int32 decimalAllFraction Decimal(precision=5, scale=5)",
            "int32 date Date", "int32 connectDate Date", "int32 time Time(isAdjustedToUTC=false, timeUnit=milliseconds)",
            "int32 connectTime Time(isAdjustedToUTC=false, timeUnit=milliseconds)",
            "int64 microTime Time(isAdjustedToUTC=false, timeUnit=microseconds)",
            "int64 nanoTime Time(isAdjustedToUTC=false, timeUnit=microseconds)",
            "int64 timestamp \(timestamp(true))", "int64 connectTimestamp \(timestamp(true))", "int64 microTimestamp \(timestamp(true))",
            "int64 nanoTimestamp \(timestamp(true))", "int64 zonedTimestamp \(timestamp(true))", "binary zonedTime String",
            "int64 microDuration", "binary interval String",
        ]
        let flat = lines.map { line -> String in
            let parts = line.split(separator: " ", maxSplits: 2)
            return "  optional \(parts[0]) field_id=-1 \(parts[1])" + (parts.count > 2 ? " (\(parts[2]));" : ";")
        }
        let groups = """
              optional group field_id=-1 array (List) {
                repeated group field_id=-1 list {
                  optional int32 field_id=-1 element;
                }
              }
              optional group field_id=-1 map (Map) {
                repeated group field_id=-1 key_value {
                  required binary field_id=-1 key (String);
                  optional int64 field_id=-1 value;
                }
              }
              optional group field_id=-1 numbers (List) {
                repeated group field_id=-1 list {
                  required group field_id=-1 element {
                    required int32 field_id=-1 key (Int(bitWidth=16, isSigned=true));
                    optional double field_id=-1 value;
                  }
                }
              }
              optional group field_id=-1 struct {
                optional boolean field_id=-1 a;
              }
              optional binary field_id=-1 variableScale (String);
            }
            """.split(separator: "\n").joined(separator: "\n")
        let expected = "required group field_id=-1 schema {\n" + flat.joined(separator: "\n") + "\n" + groups
        try await withTemporaryDirectory { directory in
            var oracle = Oracle(directory)
            try oracle.add("schema", column, schema: expected)
            try oracle.verify()
        }
    }

    @Test func optionsChangeTypes() async throws {
        try await withTemporaryDirectory { directory in
            var oracle = Oracle(directory), random = RandomColumns(seed: 8)
            func add(_ name: String, _ scalar: String, _ type: String, _ change: (inout ParquetOptions) -> Void) throws {
                let schema = RandomColumns.scalars.first { $0.name == scalar }!.schema
                var options = ParquetOptions()
                change(&options)
                let column = one(schema, (0..<50).map { _ in random.value(schema) })
                let line =
                    "required group field_id=-1 schema {\n  optional \(type.replacingOccurrences(of: " v", with: " field_id=-1 v"));\n}"
                try oracle.add(name, column, options, schema: line)
                try oracle.add(name + "-stored", inSourceStorage(column), options, schema: line)
            }
            func timestamp(_ utc: Bool, _ unit: String) -> String {
                "int64 v (Timestamp(isAdjustedToUTC=\(utc), timeUnit=\(unit), is_from_converted_type=false, force_set_converted_type=false))"
            }
            try add("legacy9", "decimal9", "fixed_len_byte_array(4) v (Decimal(precision=9, scale=2))") { $0.decimalEncoding = .legacy }
            try add("legacy18", "decimal18", "fixed_len_byte_array(8) v (Decimal(precision=18, scale=2))") { $0.decimalEncoding = .legacy }
            try add("uuid", "uuid", "fixed_len_byte_array(16) v (UUID)") { $0.uuid = .fixed }
            try add("json", "json", "binary v (JSON)") { $0.jsonAnnotation = true }
            try add("zoned", "zonedTimestamp", "binary v (String)") { $0.parseZoned = false }
            try add("local", "microTimestamp", timestamp(false, "microseconds")) { $0.timestampLocalAsUTC = false }
            try add("nanos", "nanoTimestamp", timestamp(true, "nanoseconds")) { $0.timestampEncoding = .nanos }
            try oracle.verify()
        }
    }

    @Test func requiredFieldsStayRequiredWhenAsked() async throws {
        var options = ParquetOptions()
        options.keepRequired = true
        let schema = file([("a", Schema(.int32)), ("b", .array(Schema(.string)))])
        let column = Column(schema, (0..<100).map { .struct([.integer($0), .array([.string("x"), .string("y")])]) })
        try await withTemporaryDirectory { directory in
            var oracle = Oracle(directory)
            try oracle.add("required", column, options)
            try oracle.verify()
        }
        let bad = Column(schema, count: 2, .struct([Column(Schema(.int32), [1, nil]), column.slice(0..<2).child(at: 1)]))
        #expect(throws: (any Error).self) { try encode(bad, options) }
    }

    static let variableScale = Schema.struct(
        [Schema.Field("scale", Schema(.int32)), Schema.Field("value", Schema(.bytes))], optional: true,
        name: LogicalName.variableScaleDecimal)

    @Test func variableScaleDecimalsBecomePlainText() async throws {
        func value(_ unscaled: [UInt8], _ scale: Int64) -> Value { .struct([.integer(scale), .bytes(unscaled)]) }
        let wide: [UInt8] = [0x80] + [UInt8](repeating: 0, count: 16)
        let cases: [(Value, String?)] = [
            (value([0x30, 0x39], 2), "123.45"), (value([0xCF, 0xC7], 2), "-123.45"), (value([0xFF], 3), "-0.001"), (value([0], 0), "0"),
            (.null, nil), (value([0x80], 0), "-128"), (value(wide, 1), "-" + Self.power2(135)), (value([7], -2), "700"),
        ]
        let column = one(Self.variableScale, cases.map(\.0))
        let rows = cases.map { item -> [String: Any] in ["v": item.1.map { "s:" + $0 } ?? NSNull()] }
        try await withTemporaryDirectory { directory in
            var oracle = Oracle(directory)
            try oracle.add("text", encode(column), rows: rows, ParquetOptions())
            var options = ParquetOptions()
            options.variableScaleDecimal = .double
            try oracle.add("double", encode(column.slice(0..<1), options), rows: [["v": "f:405edccccccccccd"]], options)
            try oracle.verify()
        }
    }

    /// A tenth of two to the power of `n`, by doubling digits.
    private static func power2(_ n: Int) -> String {
        var digits = [1]
        for _ in 0..<n {
            var carry = 0
            for i in digits.indices {
                let doubled = digits[i] * 2 + carry
                digits[i] = doubled % 10
                carry = doubled / 10
            }
            if carry > 0 { digits.append(carry) }
        }
        let text = digits.reversed().map(String.init).joined()
        return text.dropLast() + "." + text.suffix(1)
    }

    @Test func wideAndNegativeScaleDecimalsKeepEveryDigit() async throws {
        let wide = RandomColumns.decimal(60, 30), negative = RandomColumns.decimal(5, -2)
        let column = Column(
            file([("wide", wide), ("negative", negative)]),
            [
                .struct([.bytes([0x7F] + [UInt8](repeating: 0xFF, count: 15)), .bytes([0x30, 0x39])]),
                .struct([.bytes([0xFF]), .bytes([0xFF])]),
            ])
        try await withTemporaryDirectory { directory in
            var oracle = Oracle(directory)
            let rows: [[String: Any]] = [
                ["wide": "s:170141183.460469231731687303715884105727", "negative": "d:1234500:0"],
                ["wide": "s:-0.000000000000000000000000000001", "negative": "d:-100:0"],
            ]
            try oracle.add("decimals", encode(column), rows: rows, ParquetOptions())
            try oracle.verify()
        }
    }

    @Test func infinitiesAndExtremesKeepOneSpelling() async throws {
        let column = Column(
            file([
                ("z", Schema(.string, optional: true, name: LogicalName.zonedTimestamp)),
                ("n", Schema(.int64, optional: true, name: LogicalName.nanoTimestamp)),
            ]),
            [
                .struct([.string("infinity"), .integer(.max)]), .struct([.string("-infinity"), .integer(.min)]),
                .struct([.string("+21016-11-04T06:51:30.000000Z"), .integer(-1)]),
                .struct([.string("-4713-12-31T23:59:59.999999Z"), .integer(-1000)]),
                .struct([.string("2016-11-04T13:51:30.123456789+02:00"), .integer(999)]),
            ])
        let rows: [[String: Any]] = [
            ["z": "t:9223372036854775807000", "n": "t:9223372036825200000000"],
            ["z": "t:-9223372036854775807000", "n": "t:-9223372036832400000000"],
            ["z": "t:601060287090000000000", "n": "t:-1000"], ["z": "t:-210863520000000001000", "n": "t:-1000"],
            ["z": "t:1478260290123456000", "n": "t:0"],
        ]
        try await withTemporaryDirectory { directory in
            var oracle = Oracle(directory)
            let queries = [
                "SELECT count(*) FROM FILE WHERE z = 'infinity'::TIMESTAMPTZ": "1",
                "SELECT count(*) FROM FILE WHERE z = '-infinity'::TIMESTAMPTZ": "1",
            ]
            try oracle.add("extremes", encode(column), rows: rows, ParquetOptions(), queries: queries)
            try oracle.verify()
        }
    }

    @Test func unsentValuesBecomeThePlaceholderOrNull() async throws {
        func column(_ schema: Schema, _ values: [Value]) -> Column {
            let plain = Column(schema, values)
            return Column(schema, count: plain.count, plain.storage, validity: plain.validity, unavailable: Bitmap([false, true, true]))
        }
        let columns = [
            column(Schema(.string, optional: true), ["a", "ignored", .null]),
            column(Schema(.bytes, optional: true), [.bytes([1]), .null, .null]),
            column(Schema(.int32, optional: true), [1, 2, .null]),
        ]
        let all = Column(file([("s", columns[0].schema), ("b", columns[1].schema), ("i", columns[2].schema)]), count: 3, .struct(columns))
        let text = "__debezium_unavailable_value", hex = text.utf8.map { String($0, radix: 16) }.joined()
        var nulls = ParquetOptions()
        nulls.unavailable = .null
        try await withTemporaryDirectory { directory in
            var oracle = Oracle(directory)
            let first: [String: Any] = ["s": "s:a", "b": "b:01", "i": 1]
            let unsent: [String: Any] = ["s": "s:" + text, "b": "b:" + hex, "i": NSNull()]
            try oracle.add("placeholder", encode(all), rows: [first, unsent, unsent], ParquetOptions())
            let none: [String: Any] = ["s": NSNull(), "b": NSNull(), "i": NSNull()]
            try oracle.add("null", encode(all, nulls), rows: [first, none, none], nulls)
            try oracle.verify()
        }
    }

    /// Constant columns, as sources use for source.version, give the bytes of the same rows spelled out.
    @Test func constantsAreTheRowsTheyStandFor() throws {
        var random = RandomColumns(seed: 21)
        for _ in 0..<30 {
            let schema = random.record(fields: 3, depth: 3), rows = Int(random.int(1...10_000))
            let constant = Column(
                schema, count: rows,
                .struct(schema.fields.map { .constant(random.value($0.schema, nulls: 30), $0.schema, count: rows) }))
            var options = ParquetOptions()
            options.pageRows = Int(random.int(50...5000))
            #expect(try encode(constant, options) == encode(constant.materialized(), options))
        }
    }

    @Test func rowsThatDoNotFitAreNamedAndNothingIsWritten() throws {
        func refused(_ schema: Schema, _ values: [Value], _ code: String, row: Int, _ change: (inout ParquetOptions) -> Void = { _ in })
            throws
        {
            var options = ParquetOptions()
            change(&options)
            let column = one(schema, values)
            let writer = try ParquetWriter(schema: column.schema, options: options)
            let error = #expect(throws: ConnectorError.self) { try writer.write(column) }
            #expect(error?.code == "parquet." + code)
            #expect(error?.disposition == .reject)
            #expect((error?.underlying as? RejectedRow)?.row == row, "\(code)")
            #expect(writer.rowCount == 0 && !"\(error!)".contains("secret"))
        }
        let zoned = Schema(.string, optional: true, name: LogicalName.zonedTimestamp)
        try refused(zoned, ["2020-01-01T00:00:00Z", .null, "secret"], "bad_timestamp", row: 2)
        try refused(
            .array(zoned), [.array([]), .array(["2020-01-01T00:00:00Z"]), .array(["2020-01-01T00:00:00Z", "secret"])], "bad_timestamp",
            row: 2)
        try refused(
            RandomColumns.decimal(9, 2), [.bytes([0x3B, 0x9A, 0xC9, 0xFF]), .bytes([0x3B, 0x9A, 0xCA, 0x00])], "decimal_out_of_range",
            row: 1)
        try refused(
            RandomColumns.decimal(nil, 0), [.null, .bytes([0x7F] + [UInt8](repeating: 0xFF, count: 15))], "decimal_out_of_range", row: 1)
        try refused(RandomColumns.decimal(nil, 0), [.bytes([UInt8](repeating: 0x11, count: 40))], "decimal_out_of_range", row: 0)
        try refused(Schema(.int64, name: LogicalName.timestamp), [0, .integer(.max)], "timestamp_out_of_range", row: 1)
        try refused(Schema(.string, name: LogicalName.uuid), ["secret"], "bad_uuid", row: 0) { $0.uuid = .fixed }
        try refused(Schema(.int32), [1, .null], "null_in_required", row: 1) { $0.keepRequired = true }
        try refused(
            .map(Schema(.string, optional: true), Schema(.int32)), [.map([]), .map([Value.Entry(.null, 1)])], "null_in_required", row: 1)

        let schema = file([("v", Schema(.int32))])
        let writer = try ParquetWriter(schema: schema)
        #expect(throws: ConnectorError.self) { try writer.write(Column(schema, [.struct([1]), .null])) }
        #expect(throws: ConnectorError.self) { try writer.write(Column(file([("w", Schema(.int32))]), [.struct([1])])) }
    }

    @Test func schemasWithoutAParquetFormAreRefused() {
        for schema in [Schema(.string), file([]), file([("v", .struct([]))])] {
            #expect(throws: ConnectorError.self) { try ParquetWriter(schema: schema) }
        }
    }

    @Test func garbageInNullRowsIsNeverLookedAt() throws {
        let zoned = Schema(.string, optional: true, name: LogicalName.zonedTimestamp)
        let inner = Schema.struct([Schema.Field("z", zoned)], optional: true)
        let texts = Column(zoned, ["2020-01-01T00:00:00Z", "garbage", "garbage"])
        let validity = Bitmap([true, false, false])
        let below = wrapped(Column(inner, count: 3, .struct([texts]), validity: validity))
        let lists = wrapped(Column(.array(zoned, optional: true), count: 3, .list(offsets: [0, 1, 2, 3], texts), validity: validity))
        let clean = Column(zoned, ["2020-01-01T00:00:00Z", .null, .null])
        #expect(try encode(below) == encode(wrapped(Column(inner, count: 3, .struct([clean]), validity: validity))))
        #expect(try encode(lists) == encode(wrapped(Column(lists.child(at: 0).schema, [.array(["2020-01-01T00:00:00Z"]), .null, .null]))))
    }

    @Test func fieldNamesAreSpelledAsAsked() {
        #expect(FieldNaming(.sanitize).names(["order id", "Order_Id", "ä", "1st", ""]) == ["order_id", "Order_Id_2", "_", "_1st", "__2"])
        #expect(FieldNaming(.lower).names(["ID", "id"]) == ["id", "id_2"])
        #expect(FieldNaming(.keep).names(["ID", "id"]) == ["ID", "id"])
    }
}
