import ConnectAPI
package import JSON

/// Records as lines of JSON in the shape of `kcat -J`:
///
///     {"topic":"t","partition":0,"offset":7,"tstype":"create","ts":1795220753966,"headers":["name","value"],"key":"…","payload":"…"}
///
/// Keys, payloads and headers are the text that the converters of the record's own connector render, byte for byte; bytes that are not UTF-8 show
/// as U+FFFD; what would be Avro shows as JSON. Serves `GET /sluice/v1/topics/{topic}/records` and `sluice tap`.
package struct RecordLines {
    private struct Converters3 { let key: any Converter, value: any Converter, header: any Converter }
    private var converters: [Rendering: Converters3] = [:]

    package init() {}

    /// Appends a line for each of the first `limit` records; returns how many. Throws what the converters throw.
    @discardableResult
    package mutating func append(_ stored: StoredBatch, limit: Int = .max, to out: inout JSONWriter) throws -> Int {
        let count = min(limit, stored.batch.count)
        guard count > 0 else { return 0 }
        let batch = stored.batch.slice(0..<count), converters = try converters(for: stored.rendering)
        let keys = try converters.key.render(batch.key, count: count, nullSchemaRows: nil, topic: batch.topic)
        let values = try converters.value.render(
            batch.value, count: count, nullSchemaRows: batch.tombstones, topic: batch.topic, headers: RecordHeaders(batch.headers, converters.header))
        let headers = try HeaderRendering(batch, converters.header)
        var prefix = JSONWriter()
        prefix.literal("{\"topic\":")
        prefix.string(stored.partition.topic)
        prefix.literal(",\"partition\":")
        prefix.integer(Int64(stored.partition.partition))
        prefix.literal(",\"offset\":")
        for row in 0..<count {
            prefix.withBytes { out.raw($0) }
            out.integer(stored.firstOffset + Int64(row))
            out.literal(",\"tstype\":\"create\",\"ts\":")
            out.integer(batch.timestamps[row].integerValue ?? -1)
            out.literal(",\"headers\":[")
            for (i, header) in headers.headers(row).enumerated() {
                if i > 0 { out.byte(UInt8(ascii: ",")) }
                out.string(header.name)
                out.byte(UInt8(ascii: ","))
                Self.text(header.value, to: &out)
            }
            out.literal("],\"key\":")
            Self.text(keys.bytes(row), to: &out)
            out.literal(",\"payload\":")
            Self.text(values.bytes(row), to: &out)
            out.literal("}\n")
        }
        return count
    }

    private mutating func converters(for rendering: Rendering) throws -> Converters3 {
        if let known = converters[rendering] { return known }
        func readable(_ converter: Rendering.Converter) -> Rendering.Converter {
            let isAvro = converter.className.split(separator: ".").last == "AvroConverter"
            return isAvro ? .init(JsonConverter.className, ["schemas.enable": "false"]) : converter
        }
        let made = Converters3(
            key: try Converters.make(readable(rendering.key), isKey: true), value: try Converters.make(readable(rendering.value), isKey: false),
            header: try Converters.make(rendering.header, isKey: false))
        converters[rendering] = made
        return made
    }

    private static func text(_ bytes: ArraySlice<UInt8>?, to out: inout JSONWriter) {
        guard let bytes else { return out.literal("null") }
        if String(validating: bytes, as: UTF8.self) != nil {
            bytes.withUnsafeBytes { out.string($0) }
        } else {
            out.string(String(decoding: bytes, as: UTF8.self))
        }
    }
}
