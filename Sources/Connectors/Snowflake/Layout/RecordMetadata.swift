import ConnectAPI
import JSON

/// RECORD_METADATA as Snowflake's connector writes it:
/// `{"topic":…,"offset":…,"partition":…,"CreateTime":…,"SnowflakeConnectorPushTime":…,"key":…,"headers":{…}}`.
struct RecordMetadata: Sendable {
    var isIncluded = true
    var topic = true
    var offsetAndPartition = true
    var createTime = true
    /// Streaming only.
    var pushTime = false
    var values = VendorValues()

    /// The JSON text of every row.
    func texts(_ consumed: ConsumedBatch, now: Int64, rejected: inout [Int: ConnectorError]) -> VarBytes {
        let batch = consumed.batch
        var writer = JSONWriter(capacity: 1 << 16), offsets: [Int32] = [0]
        offsets.reserveCapacity(batch.count + 1)
        let key = batch.key.map { ConnectJSONRenderer(values.arranged($0), VendorValues.options) }
        let headers = batch.headers.map { header in Header(header, values) }
        let timestamps = batch.timestamps.materialized()
        for row in 0..<batch.count {
            let start = writer.count
            writer.byte(UInt8(ascii: "{"))
            var isFirst = true
            func name(_ text: StaticString, _ writer: inout JSONWriter) {
                if !isFirst { writer.byte(UInt8(ascii: ",")) }
                isFirst = false
                writer.byte(UInt8(ascii: "\""))
                writer.literal(text)
                writer.literal("\":")
            }
            if topic {
                name("topic", &writer)
                writer.string(consumed.partition.topic)
            }
            if offsetAndPartition {
                name("offset", &writer)
                writer.integer(consumed.offsets[row])
                name("partition", &writer)
                writer.integer(Int64(consumed.partition.partition))
            }
            if createTime, case .int64(let times) = timestamps.storage {
                name("CreateTime", &writer)
                writer.integer(times[row])
            }
            if pushTime {
                name("SnowflakeConnectorPushTime", &writer)
                writer.integer(now)
            }
            do {
                if batch.key?.isNull(row) == false {
                    name("key", &writer)
                    try key?.write(row, to: &writer)
                }
                if headers.contains(where: { $0.isPresent(row) }) {
                    name("headers", &writer)
                    try write(headers, row, to: &writer)
                }
                writer.byte(UInt8(ascii: "}"))
            } catch {
                writer.truncate(to: start)
                rejected[row] =
                    error as? ConnectorError ?? ConnectorError("snowflake.metadata", .reject, "A key or header cannot be written", underlying: error)
            }
            offsets.append(Int32(truncatingIfNeeded: writer.count))
        }
        return VarBytes(offsets: offsets, bytes: writer.take())
    }

    /// A header of a batch with its program.
    private final class Header {
        let name: String
        private let column: HeaderColumn
        let renderer: ConnectJSONRenderer
        init(_ header: HeaderColumn, _ values: VendorValues) {
            name = header.name
            column = header
            renderer = ConnectJSONRenderer(values.arranged(header.values), VendorValues.options)
        }
        func isPresent(_ row: Int) -> Bool { column.present?[row] ?? true }
    }

    /// A name given twice keeps its first place and its last value, as in the vendor's object.
    private func write(_ headers: [Header], _ row: Int, to writer: inout JSONWriter) throws {
        var order: [String] = [], last: [String: Header] = [:]
        for header in headers where header.isPresent(row) {
            if last.updateValue(header, forKey: header.name) == nil { order.append(header.name) }
        }
        writer.byte(UInt8(ascii: "{"))
        for (i, name) in order.enumerated() {
            if i > 0 { writer.byte(UInt8(ascii: ",")) }
            writer.string(name)
            writer.byte(UInt8(ascii: ":"))
            try last[name]?.renderer.write(row, to: &writer)
        }
        writer.byte(UInt8(ascii: "}"))
    }
}
