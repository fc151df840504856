import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import JSON

/// JSON without schemas comes out as it went in, whatever rows it came with.
@Suite struct SchemalessTests {
    static func rows(_ texts: [String]) -> VarBytes {
        var out = VarBytes()
        for text in texts { out.append(text.utf8) }
        return out
    }

    static func column(_ texts: [String]) throws -> Column {
        var reader = ConnectJSONReader(ConnectJSONOptions(schemasEnabled: false))
        return try #require(try reader.read(rows(texts), present: nil).first?.column)
    }

    static func texts(_ column: Column, schemas: Bool = false) throws -> [String] {
        let renderer = ConnectJSONRenderer(column, ConnectJSONOptions(schemasEnabled: schemas))
        return try (0..<column.count).map { row in
            var out = JSONWriter()
            try renderer.write(row, to: &out)
            return String(decoding: out.take(), as: UTF8.self)
        }
    }

    @Test func objectsKeepTheMembersTheyHave() throws {
        let given = [
            "{\"a\":1}", "{\"b\":{\"c\":true}}", "{\"a\":null,\"b\":{}}", "{}", "null", "{\"b\":null}", "{\"list\":[{\"x\":1},{\"y\":2},null,{}]}",
        ]
        #expect(try Self.texts(Self.column(given)) == given)
        #expect(try Self.texts(Self.column(given), schemas: true).first == "{\"schema\":null,\"payload\":{\"a\":1}}")
    }

    @Test func valuesOfSeveralKindsStayWhatTheyAre() throws {
        let given = ["{\"v\":[1,\"x\",null,{\"a\":[true]}]}", "{\"v\":\"text\"}", "{\"v\":5}", "{\"v\":{\"k\":\"\\u00e9\"}}", "{\"v\":null}", "{}"]
        #expect(try Self.texts(Self.column(given)) == given.map { $0.replacingOccurrences(of: "\\u00e9", with: "é") })
        #expect(try Self.texts(Self.column(["[1,\"a\"]", "[2]", "\"s\""])) == ["[1,\"a\"]", "[2]", "\"s\""])
    }

    /// The last of members with one name counts, also for the schema.
    @Test func whatAMemberSaidBeforeItsLastValueLeavesNoTrace() throws {
        let column = try Self.column([#"{"a":{"gone":1},"b":2,"a":{"here":true}}"#, #"{"a":{"here":false},"b":"x","b":3}"#])
        #expect(column.schema == (try Self.column([#"{"a":{"here":true},"b":2}"#])).schema)
        #expect(try Self.texts(column) == [#"{"a":{"here":true},"b":2}"#, #"{"a":{"here":false},"b":3}"#])
    }

    @Test func anyDocumentsComeBack() throws {
        var random = SeededGenerator.printed()
        func value(_ depth: Int) -> JSONValue {
            switch Int.random(in: 0..<(depth > 3 ? 5 : 7), using: &random) {
            case 0: return .null
            case 1: return .bool(Bool.random(using: &random))
            case 2: return .number(String(Int.random(in: -1000...1000, using: &random)))
            case 3: return .string(["", "a", "é\"\\", "\n"].randomElement(using: &random)!)
            case 4: return .string("x")
            case 5: return .array((0..<Int.random(in: 0..<4, using: &random)).map { _ in value(depth + 1) })
            default:
                let names = ["a", "b", "c", "d"].filter { _ in Bool.random(using: &random) }
                return .object(names.map { ($0, value(depth + 1)) })
            }
        }
        for _ in 0..<300 {
            let documents = (0..<Int.random(in: 1..<8, using: &random)).map { _ in value(0) }
            let texts = try Self.texts(Self.column(documents.map(\.compactText)))
            for (document, text) in zip(documents, texts) {
                // Members come in the order they were first seen in the batch.
                #expect(Self.sorted(try JSONValue.parse(text)) == Self.sorted(document))
            }
        }
    }

    /// Straight into columns, or by way of values: the same column, whatever the rows say.
    @Test func columnsAreThoseOfTheValues() throws {
        var random = SeededGenerator.printed()
        func text(_ depth: Int) -> String {
            switch Int.random(in: 0..<(depth > 3 ? 9 : 12), using: &random) {
            case 0: return "null"
            case 1: return Bool.random(using: &random) ? "true" : "false"
            case 2, 3, 4: return String(Int.random(in: -9...9, using: &random))
            case 5:
                return [
                    "-0", "1.50", "-0.0", "1e3", "12345678901234567890", "9007199254740993", "0.1", "1e999", "\(Double.random(in: -1e6...1e6, using: &random))",
                ].randomElement(using: &random)!
            case 6, 7, 8: return ["\"\"", "\"a\"", "\"\\u00e9\\n\"", "\"é\""].randomElement(using: &random)!
            case 9: return "[" + (0..<Int.random(in: 0..<4, using: &random)).map { _ in text(depth + 1) }.joined(separator: ", ") + "]"
            default:
                var names = ["a", "b", "c", "\\u0061b", "d"].filter { _ in Bool.random(using: &random) }
                if Int.random(in: 0..<8, using: &random) == 0 { names.shuffle(using: &random) }
                if Int.random(in: 0..<30, using: &random) == 0 { names.append("a") }
                return "{" + names.map { "\"\($0)\" : \(text(depth + 1))" }.joined(separator: ",") + "}"
            }
        }
        func flags(_ column: Column) -> [String] {
            switch column.storage {
            case .struct(let children): ["\(column.unavailable?.setPositions ?? [])"] + children.flatMap(flags)
            case .list(let offsets, let items): ["\(offsets)", "\(column.unavailable?.setPositions ?? [])"] + flags(items)
            default: ["\(column.unavailable?.setPositions ?? [])"]
            }
        }
        for _ in 0..<2000 {
            // Most batches are of one shape, as topics are.
            let shape = text(0), rows = (0..<Int.random(in: 1..<7, using: &random)).map { _ in Int.random(in: 0..<3, using: &random) > 0 ? shape : text(0) }
            let values = try rows.map { try JSONValue.parse($0) }
            var type = InferredType.unknown
            for value in values { type.merge(value) }
            let expected = type.column(values), found = try Self.column(rows)
            #expect(found.schema == expected.schema, "\(rows)")
            #expect("\((0..<found.count).map { found[$0] })" == "\((0..<found.count).map { expected[$0] })", "\(rows)")
            #expect(flags(found) == flags(expected), "\(rows)")
        }
    }

    private static func sorted(_ json: JSONValue) -> JSONValue {
        switch json {
        case .object(let object): .object(object.members.sorted { $0.key < $1.key }.map { ($0.key, sorted($0.value)) })
        case .array(let items): .array(items.map(sorted))
        default: json
        }
    }
}
