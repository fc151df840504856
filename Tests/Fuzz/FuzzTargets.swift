import ConnectAPI
import Glibc
import JavaRegex

@testable import Avro
@testable import ConnectRuntime
@testable import ConnectorsObjectStore
@testable import ConnectorsPostgres
@testable import JSON
@testable import Parquet

/// What libFuzzer calls with bytes it invents, guided by the code they reach. Built and run by `scripts/fuzz.sh`, and by nothing else.
///
/// A target may throw what it likes; it must not trap, hang or read past its input.
private let targets: [String: @Sendable (UnsafeRawBufferPointer) -> Void] = [
    "json": { bytes in
        if let json = try? JSONValue.parse(Array(bytes)) {
            // What was read is written, and read again as the same.
            guard let again = try? JSONValue.parse(json.compactBytes), again == json else { fatalError("\(json.compactText) does not come back") }
        }
    },
    "connect-json": { bytes in
        var rows = VarBytes()
        for row in bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 8) { rows.append(row) }
        for enabled in [true, false] {
            let options = ConnectJSONOptions(schemasEnabled: enabled)
            var reader = ConnectJSONReader(options)
            for run in (try? reader.read(rows, present: nil)) ?? [] {
                guard let column = run.column else { continue }
                let renderer = ConnectJSONRenderer(column, options)
                var out = JSONWriter()
                for row in 0..<column.count { try? renderer.write(row, to: &out) }
            }
        }
    },
    "avro-schema": { bytes in
        // A schema on the first line, a value after it.
        let parts = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        guard let type = try? AvroType.parse(parts.first ?? bytes[...], validating: bytes.count & 1 == 0), let schema = try? type.connectSchema() else {
            return
        }
        _ = try? AvroType.parse(AvroSchema.json(schema)).connectSchema()
        if parts.count > 1 { readAvro(UnsafeRawBufferPointer(rebasing: parts[1]), 0, type, schema) }
    },
    "avro-wire": { bytes in
        // The first byte picks the type, then the record as a topic holds it.
        guard let first = bytes.first else { return }
        let (type, schema) = avroTypes[Int(first) % avroTypes.count]
        let record = UnsafeRawBufferPointer(rebasing: bytes[1...])
        guard (try? WireFormat.id(record, 0..<record.count)) != nil else { return }
        readAvro(record, WireFormat.headerBytes, type, schema)
    },
    "outbox-json": { bytes in _ = try? ExpandedJSON(keepsNulls: true).expand(Array(bytes), name: "payload") },
    "properties": { bytes in _ = try? JavaProperties.parse(Array(bytes), file: "fuzz") },
    "connector-file": { bytes in _ = (try? ConnectorFile(path: "fuzz.json", text: Array(bytes)))?.place(of: "connector.class") },
    "jaas": { bytes in _ = try? JaasFile.parse(String(decoding: bytes, as: UTF8.self), file: "fuzz") },
    "rest": { bytes in
        // The first line is the target, the rest the body.
        let parts = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        let request = HTTPRequest(
            method: "POST", target: String(decoding: parts.first ?? bytes[...], as: UTF8.self), headers: [("content-type", "application/json")],
            body: parts.count > 1 ? Array(parts[1]) : [])
        _ = request.query.map(\.value)
        _ = request.rawPath.split(separator: "/").map { PercentEncoding.decode($0) }
        guard let body = try? RestBody.parse(request) else { return }
        _ = try? RestBody.stringMap(body)
        guard let config = try? RestBody.config(body) else { return }
        _ = try? validator.validate(config.entries)
    },
    "providers": { bytes in _ = try? providers?.resolve(["key": String(decoding: bytes, as: UTF8.self)]) },
    "pgoutput": { bytes in
        _ = try? ReplicationFrame.parse(bytes)
        for inStream in [true, false] { _ = try? PgOutputMessage.parse(bytes, inStream: inStream) }
    },
    "pg-values": { bytes in
        // The first byte picks the type, the second the format.
        guard bytes.count >= 2 else { return }
        let (decoder, schema) = decoders[Int(bytes[0]) % decoders.count]
        var cells = ElementCells()
        cells.append(UnsafeRawBufferPointer(rebasing: bytes[2...]), isBinary: bytes[1] & 1 == 1)
        var context = DecodeContext(origin: bytes[1] & 2 == 2 ? .stream : .snapshot)
        _ = cells.withView { decoder.decode($0, schema, filler: nil, &context) }[0]
    },
    "log-codec": { bytes in
        if let batch = try? BatchCodec.decode(
            Array(bytes), topic: "t",
            schema: { number in
                guard let schema = schemas[Int(number)] else { throw ConnectorError.corrupt("schema \(number)") }
                return schema
            })
        {
            for column in [batch.key, batch.value].compactMap({ $0 }) + batch.headers.map(\.values) where column.count > 0 && column.count < 1000 {
                _ = column[column.count - 1]
            }
        }
        _ = try? SchemaCodec.decode(Array(bytes))
    },
    "time-zone": { bytes in
        guard let rules = TimeZoneRules(tzif: Array(bytes)) else { return }
        for time: Int64 in [.min, -86_400_000, 0, 1_700_000_000_000, 10_000_000_000_000, .max] { _ = rules.instant(local: time) }
    },
    "parquet-footer": { bytes in
        // The end of a file of four times its length, joined with itself: what is copied lies in the file, and the new footer is one too.
        let size = Int64(bytes.count) * 4
        guard case .footer(let footer) = ParquetFooter.read(Array(bytes), fileSize: size) else { return }
        var join = ParquetJoin(like: footer)
        for _ in 0..<2 {
            guard let range = try? join.add(footer) else { return }
            guard range.lowerBound == 4, 4...size ~= range.upperBound else { fatalError("\(range) is not in a file of \(size) bytes") }
        }
        let end = join.finish(footer.pairs)
        guard case .footer(let joined) = ParquetFooter.read(end, fileSize: join.byteCount + Int64(end.count)), joined.rows == join.rows,
            joined.layout == footer.layout, joined.pairs.elementsEqual(footer.pairs, by: { $0 == $1 })
        else { fatalError("the footer of a joined file does not come back") }
        var again = ParquetJoin(like: joined)
        guard (try? again.add(joined)) != nil else { fatalError("a joined file cannot be joined") }
    },
    "compaction-plan": { bytes in
        guard let plan = CompactionPlan(Array(bytes)) else { return }
        _ = plan.metadata
        guard CompactionPlan(plan.json) == plan else { fatalError("a plan does not come back") }
    },
    "ledger-entry": { bytes in
        guard let entry = LedgerEntry(Array(bytes)) else { return }
        guard LedgerEntry(entry.json) == entry else { fatalError("an entry does not come back") }
    },
    "regex": { bytes in
        let parts = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 2, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
        guard parts.count == 3, let pattern = try? JavaPattern(parts[0]) else { return }
        _ = try? pattern.replaceAll(parts[1], parts[2])
    },
]

/// A value that is read is written, and read again.
private func readAvro(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ type: AvroType, _ schema: Schema) {
    guard let reader = try? AvroReader(type, schema, isBare: true), (try? reader.read(bytes, start..<bytes.count)) != nil, let column = try? reader.finish()
    else { return }
    var out = AvroBytes()
    guard (try? AvroRows(column, type, isBare: true).write(0, to: &out)) != nil else { return }
    out.bytes.withUnsafeBytes { again in
        guard let reader = try? AvroReader(type, schema, isBare: true), (try? reader.read(again, 0..<again.count)) != nil, let other = try? reader.finish()
        else {
            fatalError("what was written is not read")
        }
        _ = other[0]
    }
}

private let avroTypes: [(AvroType, Schema)] = [
    #""bytes""#, #""string""#, #"["null","double"]"#, #"{"type":"array","items":{"type":"map","values":"int"}}"#,
    #"{"type":"array","items":{"type":"record","name":"E","fields":[]}}"#, #"["int","string",{"type":"enum","name":"S","symbols":["A","B"]},"null"]"#,
    #"{"type":"record","name":"R","fields":[{"name":"a","type":["null","long"]},{"name":"d","type":{"type":"fixed","name":"F","size":3,"logicalType":"decimal","precision":6}},{"name":"m","type":{"type":"array","items":{"type":"record","name":"io.confluent.connect.avro.MapEntry","fields":[{"name":"key","type":"int"},{"name":"value","type":"float"}]}}},{"name":"b","type":{"type":"bytes","logicalType":"decimal","precision":50}},{"name":"t","type":"boolean"}]}"#,
].compactMap {
    guard let type = try? AvroType.parse($0.utf8), let schema = try? type.connectSchema() else { fatalError("\($0) is no schema") }
    return (type, schema)
}

private let validator: ConfigValidator = {
    var plugins = PluginRegistry()
    plugins.registerTransforms()
    plugins.registerConverters()
    plugins.register(source: PostgresSource.self)
    return ConfigValidator(plugins: plugins, workerValues: [:])
}()

private let providers = try? ConfigProviders([:])

private let schemas: [Int: Schema] = [
    0: Schema(.int64), 1: Schema(.string, optional: true), 2: .struct([.init("a", Schema(.int32)), .init("b", .array(Schema(.string)))]),
    3: .map(Schema(.string), Schema(.float64)), 4: Schema(.bytes, name: LogicalName.decimal, version: 1, parameters: [.init("scale", "2")]),
    5: Schema(.string, name: LogicalName.uuid, version: 1), 6: Schema(.boolean, optional: true),
]

private let decoders: [(ColumnDecoder, Schema)] = {
    func optional(_ type: SchemaType) -> Schema { Schema(type, optional: true) }
    let scalars: [(ColumnDecoder, Schema)] = [
        (.boolean, optional(.boolean)), (.int32, optional(.int32)), (.int64, optional(.int64)), (.float64, optional(.float64)), (.text, optional(.string)),
        (.jsonb, optional(.string)), (.decimal128(scale: 2), optional(.bytes)), (.decimalBytes(scale: 20), optional(.bytes)),
        (.decimalText, optional(.string)), (.money(.precise, scale: 2), optional(.bytes)), (.bytea(.hex), optional(.string)),
        (.date(isText: true), optional(.string)), (.time(.nanos), optional(.int64)), (.timetz, optional(.string)), (.timestamp(.text), optional(.string)),
        (.timestamptz(fractionDigits: 6), optional(.string)), (.interval(.string), optional(.string)), (.uuid, optional(.string)), (.bits, optional(.bytes)),
        (.hstore(.json), optional(.string)), (.point, DebeziumSchemas.point.with(optional: true)),
    ]
    return scalars + scalars.map { (.array($0.0), .array($0.1, optional: true)) }
}()

private let target: @Sendable (UnsafeRawBufferPointer) -> Void = {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = targets[name] else { fatalError("FUZZ_TARGET is one of \(targets.keys.sorted().joined(separator: " "))") }
    return target
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    target(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
}
