import JSON
import TestSupport
import Testing

@Suite struct JSONValueTests {
    @Test(arguments: [
        "null", "true", "false", "0", "-0", "12345678901234567890.50", "1e10", "-1.5E-7", "\"\"", "\"a\\\"b\\\\c\\n\\u001F\"", "[]", "{}",
        "[1,[2,[3,{}]],\"x\"]", "{\"b\":1,\"a\":{\"c\":[null,true]}}", "\"äöü€\\uD83D\\uDE00\"", "\"abcdefg\\uD83D\\uDE00h\"",
    ])
    func compactBytesAreWhatWasParsed(_ text: String) throws {
        #expect(try JSONValue.parse(text).compactText == text)
    }

    @Test func whiteSpaceIsTakenEverywhereBetweenTokens() throws {
        #expect(try JSONValue.parse(" \r\n\t{ \"a\" : [ 1 , 2 ] , \"b\" : { } } ").compactText == "{\"a\":[1,2],\"b\":{}}")
    }

    @Test func escapesAreDecoded() throws {
        #expect(try JSONValue.parse(#""\b\f\n\r\t\/\"\\\u0041\u00e9\ud83d\ude00""#).stringValue == "\u{8}\u{c}\n\r\t/\"\\A\u{e9}\u{1F600}")
        #expect(try JSONValue.parse(#""\ud83dx""#).stringValue == "\u{FFFD}x")
    }

    @Test func lastOfTwoEqualNamesWinsInTheFirstPlace() throws {
        #expect(try JSONValue.parse(#"{"a":1,"b":2,"a":3}"#).compactText == #"{"a":3,"b":2}"#)
    }

    @Test func prettyBytesAreJacksonsIndentation() throws {
        let value = try JSONValue.parse(#"{"a":1,"b":{"c":null},"e":[]}"#)
        #expect(
            String(decoding: value.prettyBytes, as: UTF8.self) == "{\n  \"a\" : 1,\n  \"b\" : {\n    \"c\" : null\n  },\n  \"e\" : []\n}")
    }

    @Test(arguments: [
        ("{\"name\":", "Unexpected end-of-input within/between Object entries", 1, 9),
        (
            "not json", "Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
            1, 5
        ),
        (
            "hello", "Unrecognized token 'hello': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", 1,
            6
        ),
        ("\n {,}", "Unexpected character (',' (code 44)): was expecting double-quote to start field name", 2, 3),
    ])
    func errorsSayWhatJacksonSays(_ text: String, _ message: String, _ line: Int, _ column: Int) {
        let error = #expect(throws: JSONError.self) { try JSONValue.parse(text) }
        #expect(error?.message == message)
        #expect(error?.line == line && error?.column == column)
    }

    @Test func anOpenObjectTellsWhereItBegan() {
        let error = #expect(throws: JSONError.self) { try JSONValue.parse("{") }
        #expect(
            error?.description
                == "Unexpected end-of-input: expected close marker for Object (start marker at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 1])\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 2]"
        )
    }

    @Test(arguments: [
        "", " ", "tru", "truex", "01", "-", "1.", "1e", "1e+", ".5", "+1", "[1,]", "[,1]", "[1 2]", "{\"a\":1,}", "{\"a\" 1}", "{a:1}",
        "{\"a\":}", "\"", "\"a\u{1}b\"",
        "\"\\x\"", "\"\\u12g4\"", "\"\\u12", "1 2", "{}}", "]", "[1}", "nul", "'a'", "NaN", "[", "{\"a\"", "/**/1", "\u{FEFF}1",
    ])
    func whatIsNotJSONIsRefused(_ text: String) {
        #expect(throws: JSONError.self) { try JSONValue.parse(text) }
    }

    @Test(
        arguments: [
            [0x80], [0xC0, 0x80], [0xC3], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80],
            [0xE2, 0x82], [0xFF],
        ] as [[UInt8]])
    func stringsThatAreNotUTF8AreRefused(_ bytes: [UInt8]) {
        #expect(throws: JSONError.self) { try JSONValue.parse([0x22] + bytes + [0x22]) }
        #expect(throws: JSONError.self) { try JSONValue.parse([0x22] + Array("abcdefgh".utf8) + bytes + Array("abcdefgh".utf8) + [0x22]) }
    }

    @Test func nestingHasALimit() throws {
        #expect(throws: JSONError.self) { try JSONValue.parse(String(repeating: "[", count: 100_000)) }
        let deep = String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000)
        #expect(try JSONValue.parse(deep).compactText == deep)
    }

    @Test func valuesSurviveWritingAndParsing() throws {
        var random = SeededGenerator.printed()
        for _ in 0..<300 {
            let value = Self.value(depth: 4, &random)
            #expect(try JSONValue.parse(value.compactBytes) == value)
            #expect(try JSONValue.parse(value.prettyBytes) == value)
        }
    }

    @Test func randomBytesNeverTrap() {
        var random = SeededGenerator.printed()
        let alphabet = Array("{}[]\",:\\u0123ntfe.-+ \u{1}é".utf8)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                Bool.random(using: &random) ? alphabet.randomElement(using: &random)! : UInt8.random(in: 0...255, using: &random)
            }
            _ = try? JSONValue.parse(bytes)
        }
    }

    static func value(depth: Int, _ random: inout SeededGenerator) -> JSONValue {
        func text() -> String {
            String((0..<Int.random(in: 0...12, using: &random)).map { _ in "a\"\\\n\u{1}é€😀/ z".randomElement(using: &random)! })
        }
        switch Int.random(in: 0..<(depth > 0 ? 7 : 5), using: &random) {
        case 0: return .null
        case 1: return .bool(.random(using: &random))
        case 2: return .integer(Int64.random(in: .min ... .max, using: &random))
        case 3: return .double(Double.random(in: -1e12...1e12, using: &random))
        case 4: return .string(text())
        case 5: return .array((0..<Int.random(in: 0...4, using: &random)).map { _ in value(depth: depth - 1, &random) })
        default: return .object((0..<Int.random(in: 0...4, using: &random)).map { ("\($0)" + text(), value(depth: depth - 1, &random)) })
        }
    }
}
