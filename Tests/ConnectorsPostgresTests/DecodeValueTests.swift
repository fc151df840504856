import ConnectAPI
import TestSupport
import Testing

@testable import ConnectorsPostgres

@Suite struct DecodeValueTests {
    private func decode(_ decoder: ColumnDecoder, _ schema: Schema, _ text: String) -> Value {
        var cells = ElementCells(), context = DecodeContext(origin: .stream)
        Array(text.utf8).withUnsafeBytes { cells.append($0) }
        return cells.withView { decoder.decode($0, schema, filler: nil, &context) }[0]
    }

    @Test(arguments: [
        ("'abc'::text", 25 as UInt32, Value.string("abc")), ("'it''s'::character varying", 25, "it's"), ("E'a\\nb'::text", 25, "a\nb"),
        ("42", 23, 42), ("'-1'::integer", 23, -1), ("(-1)", 23, -1), ("nextval('s'::regclass)", 23, 0), ("now()", 25, ""),
        ("'2020-01-02 03:04:05.678901+00'::timestamp with time zone", 1184, "2020-01-02T03:04:05.678901Z"),
        ("CURRENT_TIMESTAMP", 1184, "1970-01-01T00:00:00.000000Z"), ("('a'::text || 'b'::text)", 25, ""), ("upper('x'::text)", 25, ""),
    ])
    func defaultsAreConstantsOrZeros(_ expression: String, _ type: UInt32, _ expected: Value) throws {
        let columns = [Fixtures.column("id", 20, notNull: true), Fixtures.column("c", type, notNull: true, default: expression)]
        #expect(try Fixtures.transactions(columns: columns).row.fields[1].schema.defaultValue == expected)
    }

    @Test func nullDefaultIsNoDefault() throws {
        let columns = [Fixtures.column("id", 20, notNull: true), Fixtures.column("c", 25, default: "NULL::text")]
        #expect(try Fixtures.transactions(columns: columns).row.fields[1].schema.defaultValue == nil as Value?)
    }

    @Test(arguments: [
        ("$1,234.56", 123_456 as Int128), ("-$92.10", -9210), ("($92.10)", -9210), ("1.234,56 €", 123_456), ("£12", 1200), ("¥1,234", 123_400),
        ("-$92,233,720,368,547,758.08", -9_223_372_036_854_775_808),
    ])
    func moneyIsReadInEveryLocale(_ text: String, _ cents: Int128) {
        #expect(Array(text.utf8).withUnsafeBytes { MoneyText.unscaled($0, scale: 2) } == cents)
    }

    @Test(arguments: [
        ("1 year 2 mons 3 days 04:05:06.789", 37_091_106_789_000 as Int64, "P1Y2M3DT4H5M6.789S"),
        ("-1 mons +2 days -03:04:05.6", -2_468_045_600_000, "P0Y-1M2DT-3H-4M-5.6S"), ("178000000 years", .max, "P178000000Y0M0DT0H0M0S"),
        ("00:00:00", 0, "P0Y0M0DT0H0M0S"), ("-00:00:00.5", -500_000, "P0Y0M0DT0H0M-0.5S"),
    ])
    func intervalsAreMicrosecondsOrISO(_ text: String, _ micros: Int64, _ iso: String) {
        let value = Array(text.utf8).withUnsafeBytes { IntervalValue(text: $0) }
        var out: [UInt8] = []
        value?.appendISO(to: &out)
        #expect(value?.averageMicros == micros)
        #expect(String(decoding: out, as: UTF8.self) == iso)
    }

    @Test func longDecimalsKeepEveryBit() {
        var generator = SeededGenerator.printed()
        for _ in 0..<2_000 {
            let value = Int128.random(in: .min ... .max, using: &generator) >> Int128.random(in: 0...126, using: &generator)
            let digits = DecimalDigits(value, scale: 0)
            var bytes: [UInt8] = []
            digits.appendTwosComplement(to: &bytes)
            #expect(bytes == value.bigEndianTwosComplement)
            #expect(String(decoding: digits.plainText, as: UTF8.self) == value.description)
        }
        // 2^200: past 128 bits.
        let text = Array("1606938044258990275541962092341162602522202993782792835301376".utf8)
        var bytes: [UInt8] = []
        text.withUnsafeBytes { DecimalDigits($0)!.appendTwosComplement(to: &bytes) }
        #expect(bytes == [1] + Array(repeating: 0, count: 25))
        var negative: [UInt8] = []
        Array("-".utf8 + text).withUnsafeBytes { DecimalDigits($0)!.appendTwosComplement(to: &negative) }
        #expect(negative == [0xFF] + Array(repeating: 0, count: 25))
    }

    @Test func variableDecimalsLoseTheirTrailingZeros() {
        func value(_ text: String) -> Value { decode(.variableDecimal, DebeziumSchemas.variableScaleDecimal, text) }
        #expect(value("12345.678900") == .struct([4, .bytes([0x07, 0x5B, 0xCD, 0x15])]))
        #expect(value("0.000") == .struct([0, .bytes([0])]))
        #expect(value("1200") == .struct([0, .bytes([4, 176])]))
    }

    @Test(arguments: [
        ("{}", Value.array([])), ("{1,NULL,-3}", .array([1, .null, -3])), ("{{1,2},{3,4}}", .array([.null, .null])),
        ("[0:2]={7,8,9}", .array([7, 8, 9])), ("{1,2", .null), ("{1,x}", .array([1, .null])),
    ])
    func arraysHaveOneDimension(_ text: String, _ expected: Value) {
        #expect(decode(.array(.int32), .array(Schema(.int32, optional: true), optional: true), text) == expected)
    }

    @Test func hstoreIsJSONOrAMap() {
        let text = "\"a\\\"b\"=>\"tab\té\", \"n\"=>NULL, \"\"=>\"\""
        #expect(decode(.hstore(.json), Schema(.string, optional: true), text) == .string(#"{"a\"b":"tab\té","":"","n":null}"#))
        let map = Schema.map(DebeziumSchemas.string, DebeziumSchemas.optionalString, optional: true)
        #expect(decode(.hstore(.map), map, text) == .map([.init("a\"b", "tab\té"), .init("", ""), .init("n", .null)]))
    }

    /// `new HashMap<>()` of these keys in Java: 13 of them make it grow to 32 buckets.
    @Test func hstoreHasTheOrderOfAJavaMap() {
        let schema = Schema(.string, optional: true)
        #expect(decode(.hstore(.json), schema, #""aa"=>"1", "b"=>"2", "zebra"=>"3", "apple"=>"4""#) == .string(#"{"aa":"1","zebra":"3","apple":"4","b":"2"}"#))
        let many = (0..<13).map { "\"k\($0)\"=>\"\($0)\"" }.joined(separator: ", ")
        let order = [0, 1, 2, 3, 4, 5, 11, 6, 10, 7, 8, 12, 9].map { "\"k\($0)\":\"\($0)\"" }.joined(separator: ",")
        #expect(decode(.hstore(.json), schema, many) == .string("{\(order)}"))
    }

    @Test(arguments: [("11", [3] as [UInt8]), ("1000000", [0x40]), ("111011010001000110000001000000001", [1, 2, 35, 218, 1]), ("0000", []), ("", [])])
    func bitsAreLittleEndian(_ text: String, _ bytes: [UInt8]) {
        #expect(decode(.bits, Schema(.bytes, optional: true), text) == .bytes(bytes))
    }

    @Test func timesOfEveryLengthAreRead() {
        func micros(_ text: String) -> Value { decode(.timestamp(.micros), Schema(.int64, optional: true), text) }
        #expect(micros("294247-01-01 23:59:59.999999") == 9_223_371_331_199_999_999)
        #expect(micros("4713-12-31 23:59:59.999999 BC") == -210_831_897_600_000_001)
        #expect(micros("1969-12-31 23:59:59.999999") == -1)
        #expect(micros("infinity") == 9_223_372_036_825_200_000)
        #expect(micros("2024-13-01 00:00:00") == .null)
        let zoned = { decode(.timestamptz(fractionDigits: 6), Schema(.string, optional: true), $0) }
        #expect(zoned("2016-11-04 13:51:30.123456+02") == "2016-11-04T11:51:30.123456Z")
        #expect(zoned("21016-11-04 13:51:30+07") == "+21016-11-04T06:51:30.000000Z")
        let time = { decode(.timetz, Schema(.string, optional: true), $0) }
        #expect(time("13:51:30.123789+02") == "11:51:30.123789Z")
        #expect(time("00:30:00+01") == "23:30:00Z")
        #expect(time("24:00:00+00") == "24:00:00Z")
    }

    @Test func namesAreAdjustedForAvro() {
        let avro = ValueConversion.NameAdjustment.avro, unicode = ValueConversion.NameAdjustment.avroUnicode
        #expect(avro.fieldName("some column") == "some_column")
        #expect(avro.fieldName("1st") == "_1st")
        #expect(avro.schemaName("a-b.public.Weird Table") == "a_b.public.Weird_Table")
        #expect(unicode.fieldName("a_b c") == "a_u005fb_u0020c")
        #expect(ValueConversion.NameAdjustment.none.schemaName("a-b.c") == "a-b.c")
    }

    @Test func statusUpdateHasTheWiresLayout() throws {
        let bytes = ReplicationFrame.statusUpdate(written: 1, flushed: 2, applied: 3, nowMicros: PostgresEpoch.micros + 4, replyRequested: true)
        let expected: [UInt8] = [UInt8(ascii: "r")] + [UInt64(1), 2, 3, 4].flatMap { Fixtures.be($0) } + [1]
        #expect(bytes == expected)
        let keepalive = [UInt8(ascii: "k")] + Fixtures.be(UInt64(9)) + Fixtures.be(Int64(0)) + [1]
        guard case .keepalive(let parsed) = try keepalive.withUnsafeBytes({ try ReplicationFrame.parse($0) }) else { return #expect(Bool(false)) }
        #expect(parsed.walEnd == 9 && parsed.replyRequested && parsed.sendMicros == PostgresEpoch.micros)
    }
}
