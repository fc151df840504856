import ConnectAPI
import JSON

/// Rows as JSON lines, a member a column: `{"content":{…},"meta":{…}}` for Snowpipe, `{"RECORD_CONTENT":{…},"RECORD_METADATA":{…}}` for streaming.
final class RowLines {
    /// What the members are called instead of their columns.
    private let names: [String: String]
    private let gzip: GzipWriter?
    private var plain: [UInt8] = []

    init(names: [String: String] = [:], compressed: Bool) {
        self.names = names
        gzip = compressed ? GzipWriter() : nil
    }

    var bufferedBytes: Int { plain.count + (gzip?.bufferedBytes ?? 0) }

    func append(_ rows: Column) throws {
        var writer = JSONWriter(capacity: 1 << 16)
        try Self.write(rows, names: names, to: &writer) { _ in }
        writer.withBytes { bytes in
            if let gzip { gzip.append(bytes) } else { plain.append(contentsOf: bytes) }
        }
    }

    func finish() -> [UInt8] { gzip?.finish() ?? plain }

    /// Writes a line a row; `ended` is told how many bytes there are after each.
    static func write(_ rows: Column, names: [String: String], to writer: inout JSONWriter, ended: (Int) -> Void) throws {
        let values = VendorValues(isStreaming: true)
        let members = rows.schema.fields.indices.map { i in
            Member(name: names[rows.schema.fields[i].name] ?? rows.schema.fields[i].name, rows.child(at: i), values)
        }
        for row in 0..<rows.count {
            writer.byte(UInt8(ascii: "{"))
            var isFirst = true
            for member in members where !member.isNull(row) {
                if !isFirst { writer.byte(UInt8(ascii: ",")) }
                isFirst = false
                writer.raw(member.prefix)
                try member.write(row, to: &writer)
            }
            writer.literal("}\n")
            ended(writer.count)
        }
    }

    private final class Member {
        let prefix: [UInt8]
        private let column: Column
        private let texts: VarBytes?
        private let renderer: ConnectJSONRenderer

        init(name: String, _ column: Column, _ values: VendorValues) {
            self.column = column
            prefix = JSONValue.string(name).compactBytes + [UInt8(ascii: ":")]
            // JSON texts enter as they are.
            if column.schema == TableColumn.jsonSchema, case .utf8(let texts) = column.storage { self.texts = texts } else { texts = nil }
            renderer = ConnectJSONRenderer(LineValues.arranged(column, values), VendorValues.options)
        }

        func isNull(_ row: Int) -> Bool { column.isNull(row) }

        func write(_ row: Int, to writer: inout JSONWriter) throws {
            guard let texts else { return try renderer.write(row, to: &writer) }
            let range = texts.range(row)
            texts.bytes.withUnsafeBytes { writer.raw(UnsafeRawBufferPointer(rebasing: $0[range])) }
        }
    }
}
