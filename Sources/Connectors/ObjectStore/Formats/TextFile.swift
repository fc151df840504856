import ConnectAPI
import JSON

/// Aiven's text formats: one text a record, with something between them.
enum TextLayout: Sendable, Hashable {
    /// One JSON text a line.
    case jsonLines
    /// One JSON array a file.
    case jsonArray
    /// The columns of an `OutputFields` struct, separated by commas.
    case csv

    var prefix: StaticString { self == .jsonArray ? "[\n" : "" }
    /// Between two records; a file does not end with one.
    var separator: StaticString { self == .jsonArray ? ",\n" : "\n" }
    var suffix: [UInt8] { self == .jsonArray ? Array("\n]".utf8) : [] }
}

/// A file of one of Aiven's text formats.
struct TextFile: FileEncoder {
    private let layout: TextLayout
    private let options: ConnectJSONOptions
    private var out: FileBytes
    private var isEmpty = true

    init(_ layout: TextLayout, _ options: ConnectJSONOptions, _ compression: Compression) {
        self.layout = layout
        self.options = options
        out = FileBytes(compression)
    }

    mutating func append(_ values: Column) throws {
        var writer = JSONWriter(capacity: 1 << 16)
        switch layout {
        case .jsonLines, .jsonArray:
            let renderer = ConnectJSONRenderer(values, options)
            for row in 0..<values.count {
                writer.literal(isEmpty && row == 0 ? layout.prefix : layout.separator)
                try renderer.write(row, to: &writer)
            }
        case .csv:
            let columns = values.children
            for row in 0..<values.count {
                writer.literal(isEmpty && row == 0 ? layout.prefix : layout.separator)
                for (i, column) in columns.enumerated() {
                    if i > 0 { writer.byte(UInt8(ascii: ",")) }
                    Self.write(row, of: column, to: &writer)
                }
            }
        }
        if values.count > 0 { isEmpty = false }
        writer.withBytes { out.append($0) }
    }

    /// Texts as they are: `OutputFields` made them.
    private static func write(_ row: Int, of column: Column, to writer: inout JSONWriter) {
        if column.isNull(row) { return }
        switch column.storage {
        case .utf8(let texts), .binary(let texts): writer.raw(texts[row])
        case .int64(let numbers): writer.raw(String(numbers[row]).utf8)
        case .constant(.integer(let number)): writer.raw(String(number).utf8)
        case .constant(.string(let text)): writer.raw(text.utf8)
        default: break
        }
    }

    var bufferedBytes: Int { out.bufferedBytes }
    var encodedBytes: Int { out.totalBytes }
    var undrainedBytes: Int { out.drainableBytes }
    var drainableBytes: Int { out.drainableBytes }
    mutating func drain() -> [UInt8] { out.drain() }
    mutating func endRows() {}
    mutating func finish(_ facts: FileFacts, topic: String, partition: Int32) throws -> [UInt8] {
        layout.suffix.withUnsafeBytes { out.append($0) }
        return out.finish()
    }
}
