import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import Parquet

/// Files written by a test and what readers must see in them. One Python process reads them all.
struct Oracle {
    let directory: String
    private var expected: [String: Any] = [:]

    init(_ directory: String) { self.directory = directory }

    /// Writes the rows and expects to read them.
    mutating func add(
        _ name: String, _ column: Column, _ options: ParquetOptions = ParquetOptions(), cuts: [Int] = [], duckdb: Bool = true,
        groups: [Int]? = nil, schema: String? = nil, queries: [String: String] = [:], metadata: [(key: String, value: String)] = []
    ) throws {
        let bytes = try encode(column, options, cuts: cuts, metadata: metadata)
        let rows = (0..<column.count).map { row in Expectation(options).json(column[row], column.schema, isRoot: true) }
        try add(name, bytes, rows: rows, options, duckdb: duckdb, groups: groups, schema: schema, queries: queries, metadata: metadata)
    }

    /// `joined`: the file has no page index, and its codecs may differ.
    mutating func add(
        _ name: String, _ bytes: [UInt8], rows: [Any]?, _ options: ParquetOptions, duckdb: Bool = true, groups: [Int]? = nil,
        schema: String? = nil, queries: [String: String] = [:], metadata: [(key: String, value: String)] = [], joined: Bool = false
    ) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: "\(directory)/\(name).parquet"))
        let codec: String =
            switch options.codec {
            case .none: "uncompressed"
            case .lz4: "lz4"
            default: options.codec.rawValue
            }
        var entry: [String: Any] = [
            "options": ["checksums": options.checksums, "statistics": options.statistics, "codec": codec, "duckdb": duckdb, "joined": joined]
                as [String: Any],
            "queries": queries, "metadata": Dictionary(metadata.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }),
        ]
        if let rows { entry["rows"] = rows }
        if let groups { entry["groups"] = groups }
        if let schema { entry["schema"] = schema }
        expected["\(name).parquet"] = entry
    }

    /// What the readers complain of.
    func complaints() throws -> [String] {
        try JSONSerialization.data(withJSONObject: expected).write(to: URL(fileURLWithPath: directory + "/expected.json"))
        let output = try Python.run(oracleScript, [directory])
        return try JSONDecoder().decode([String].self, from: Data(output.utf8))
    }

    func verify(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let complaints = try complaints()
        #expect(
            complaints.isEmpty, "\(complaints.count) complaints:\n\(complaints.prefix(8).joined(separator: "\n"))",
            sourceLocation: sourceLocation)
    }
}

/// A whole file of these rows, handed over in pieces that end at `cuts`.
func encode(
    _ column: Column, _ options: ParquetOptions = ParquetOptions(), cuts: [Int] = [], metadata: [(key: String, value: String)] = []
) throws -> [UInt8] {
    let writer = try ParquetWriter(schema: column.schema, options: options, metadata: metadata)
    var start = 0, bytes: [UInt8] = []
    for end in cuts.sorted() + [column.count] where end > start {
        try writer.write(column.slice(start..<end))
        bytes += writer.drain()
        start = end
    }
    return try bytes + writer.finish()
}

/// What a reader must see for a value, spelled as the oracle's script spells it. Written apart from the writer's own mapping.
struct Expectation {
    let options: ParquetOptions

    init(_ options: ParquetOptions) { self.options = options }

    func json(_ value: Value, _ schema: Schema, isRoot: Bool = false) -> Any {
        if value.isNull { return NSNull() }
        switch (value, schema.type, schema.name) {
        case (.boolean(let b), _, _): return b
        case (.integer(let i), _, LogicalName.date?), (.integer(let i), _, LogicalName.connectDate?): return "D:\(i)"
        case (.integer(let i), _, LogicalName.time?), (.integer(let i), _, LogicalName.connectTime?): return "T:\(i * 1000)"
        case (.integer(let i), _, LogicalName.microTime?): return "T:\(i)"
        case (.integer(let i), _, LogicalName.nanoTime?): return "T:\(Int((Double(i) / 1000).rounded(.down)))"
        case (.integer(let i), _, LogicalName.timestamp?), (.integer(let i), _, LogicalName.connectTimestamp?):
            return "t:\(Int128(i) * 1_000_000)"
        case (.integer(let i), _, LogicalName.microTimestamp?): return "t:\(Int128(i) * 1000)"
        case (.integer(let i), _, LogicalName.nanoTimestamp?):
            let kept = options.timestampEncoding == .nanos ? i : i - ((i % 1000) + 1000) % 1000
            return "t:\(kept)"
        case (.integer(let i), _, _): return i
        case (.float(let f), _, _): return f.isNaN ? "f:nan" : "f:" + hex(f.bitPattern)
        case (.double(let d), _, _): return d.isNaN ? "f:nan" : "f:" + hex(d.bitPattern)
        case (.string(let s), _, LogicalName.zonedTimestamp?) where options.parseZoned: return instant(s)
        case (.string(let s), _, LogicalName.uuid?) where options.uuid == .fixed: return "u:" + s.replacingOccurrences(of: "-", with: "")
        case (.string(let s), _, _): return "s:" + s
        case (.bytes(let b), _, LogicalName.decimal?):
            return "d:\(Int128(bigEndianTwosComplement: b)!):\(schema.parameter("scale")!)"
        case (.bytes(let b), _, _): return "b:" + b.map { hex($0) }.joined()
        case (.array(let a), _, _): return a.map { json($0, schema.element!) }
        case (.map(let m), _, _) where schema.key!.type == .string:
            return m.map { [json($0.key, schema.key!), json($0.value, schema.element!)] }
        case (.map(let m), _, _): return m.map { ["key": json($0.key, schema.key!), "value": json($0.value, schema.element!)] }
        case (.struct(let s), _, _):
            return Dictionary(zip(schema.fields, s).map { ($0.name, json($1, $0.schema)) }, uniquingKeysWith: { $1 })
        default: return NSNull()
        }
    }

    private func hex<T: FixedWidthInteger>(_ value: T) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: T.bitWidth / 4 - text.count) + text
    }

    /// An instant's text: for years 1 to 9999 the oracle's Python knows what it means.
    private func instant(_ text: String) -> String {
        if text == "infinity" { return "t:\(Int128(Int64.max) * 1000)" }
        if text == "-infinity" { return "t:\(Int128(-Int64.max) * 1000)" }
        let parts = text.dropLast().split(separator: ".")
        let fraction = parts.count > 1 ? "." + parts[1].padding(toLength: 6, withPad: "0", startingAt: 0) : ""
        return "z:\(parts[0])\(fraction)Z"
    }
}
