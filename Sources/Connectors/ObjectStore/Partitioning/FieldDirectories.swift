import ConnectAPI

/// Directories of field values: `country=DE/status=open`.
///
/// Integers, strings and booleans can make a directory; a row with any other type is refused, as Confluent's FieldPartitioner does.
struct FieldDirectories {
    private let fields: [(name: String, path: [String])]
    private let escape: PathEscape
    private let delimiter: String
    /// Composite code → directory; a composite is the chain of the fields' codes.
    private var directories: [Composite: Int32] = [:]
    private var codes: [FieldCodes]

    private struct Composite: Hashable {
        var codes: [Int32]
    }

    init(fields: [String], escape: PathEscape, delimiter: String) {
        self.fields = fields.map { ($0, $0.split(separator: ".").map(String.init)) }
        self.escape = escape
        self.delimiter = delimiter
        codes = fields.map { _ in FieldCodes() }
    }

    /// What a directory looks like.
    var sample: String { fields.map { "\(escape.text($0.name))=0" }.joined(separator: delimiter) }

    mutating func assign(_ batch: ConsumedBatch, value: Column?, nulls: Bitmap?, _ intern: (String) -> Int32) -> Partitioner.Result {
        let count = batch.batch.count
        var rows = [Int32](repeating: Partitioner.Rows.rejected, count: count)
        var columns: [[Int32]] = []
        var problem: String?
        for i in fields.indices {
            guard let value, let leaf = FieldPath.column(fields[i].path, in: value) else {
                problem = "The field '\(fields[i].name)' is not in the records"
                break
            }
            guard let found = codes[i].codes(of: leaf) else {
                problem = "The field '\(fields[i].name)' is a \(leaf.schema.type) and cannot make a directory"
                break
            }
            columns.append(found)
        }
        if let problem {
            // A null record has no fields to look into: it is placed nowhere, and what becomes of it is behavior.on.null.values' business.
            let rejects = (0..<count).filter { nulls?[$0] != true }.map { row in
                (
                    row: row,
                    error: ConnectorError(
                        "objectstore.partition_field", .reject, "\(problem): \(batch.partition) at offset \(batch.offsets[row])",
                        hint: "Set partition.field.name to fields of type integer, string or boolean that every record has")
                )
            }
            return Partitioner.Result(rows: .each(rows), rejects: rejects)
        }
        var composite = Composite(codes: Array(repeating: -2, count: fields.count)), last: Int32 = Partitioner.Rows.rejected
        var different = false, first: Int32?
        for row in 0..<count {
            if nulls?[row] == true {
                different = true
                continue
            }
            var same = last != Partitioner.Rows.rejected
            for i in columns.indices where composite.codes[i] != columns[i][row] {
                composite.codes[i] = columns[i][row]
                same = false
            }
            if !same {
                if let known = directories[composite] {
                    last = known
                } else {
                    let name = fields.indices.map { i in
                        escape.text(fields[i].name) + "=" + (codes[i].text(composite.codes[i]).map(escape.value) ?? escape.null)
                    }.joined(separator: delimiter)
                    last = intern(name)
                    directories[composite] = last
                }
            }
            rows[row] = last
            if let first { different = different || last != first } else { first = last }
        }
        return Partitioner.Result(rows: !different && first != nil ? .all(first!) : .each(rows))
    }
}

/// Numbers the distinct values of one field, so that rows are compared as integers.
struct FieldCodes {
    private var texts: [String] = []
    private var integers: [Int64: Int32] = [:]
    private var strings: [[UInt8]: Int32] = [:]
    static let null: Int32 = -1

    /// The text of a code; nil for null.
    func text(_ code: Int32) -> String? { code == Self.null ? nil : texts[Int(code)] }

    /// One code a row, or nil when the type cannot make a directory.
    mutating func codes(of column: Column) -> [Int32]? {
        switch column.schema.type {
        case .int8, .int16, .int32, .int64, .string, .boolean: break
        default: return nil
        }
        var out = [Int32](repeating: Self.null, count: column.count)
        switch column.storage {
        case .constant(let value):
            let code: Int32
            switch value {
            case .null: code = Self.null
            case .boolean(let b): code = string(Array((b ? "true" : "false").utf8))
            case .integer(let i): code = integer(i)
            case .string(let s): code = string(Array(s.utf8))
            default: return nil
            }
            for row in out.indices { out[row] = code }
        case .boolean(let v):
            let texts = [string(Array("false".utf8)), string(Array("true".utf8))]
            for row in out.indices where !column.isNull(row) { out[row] = texts[v[row] == 0 ? 0 : 1] }
        case .int32(let v):
            for row in out.indices where !column.isNull(row) { out[row] = integer(Int64(v[row])) }
        case .int64(let v):
            for row in out.indices where !column.isNull(row) { out[row] = integer(v[row]) }
        case .utf8(let v):
            var last: (range: Range<Int>, code: Int32)?
            for row in out.indices where !column.isNull(row) {
                let range = v.range(row)
                // Neighbours are often equal: compare bytes before hashing.
                if let last, range.count == last.range.count, v.bytes[range].elementsEqual(v.bytes[last.range]) {
                    out[row] = last.code
                } else {
                    out[row] = string(Array(v.bytes[range]))
                    last = (range, out[row])
                }
            }
        case .utcMicros, .uuid:
            for row in out.indices where !column.isNull(row) { out[row] = string(Array((column[row].stringValue ?? "").utf8)) }
        default: return nil
        }
        return out
    }

    private mutating func integer(_ value: Int64) -> Int32 {
        if let code = integers[value] { return code }
        let code = Int32(texts.count)
        texts.append(String(value))
        integers[value] = code
        return code
    }

    private mutating func string(_ bytes: [UInt8]) -> Int32 {
        if let code = strings[bytes] { return code }
        let code = Int32(texts.count)
        texts.append(String(decoding: bytes, as: UTF8.self))
        strings[bytes] = code
        return code
    }
}

/// How values enter directory names.
enum PathEscape: String, Sendable {
    /// As they are: a `/` in a value makes a directory, null reads `null`.
    case none
    /// As Hive writes them: percent-escaped, null and empty as `__HIVE_DEFAULT_PARTITION__`.
    case hive

    var null: String { self == .none ? "null" : "__HIVE_DEFAULT_PARTITION__" }

    func value(_ text: String) -> String { self == .hive && text.isEmpty ? null : self.text(text) }

    func text(_ text: String) -> String {
        guard self == .hive else { return text }
        var out: [UInt8] = []
        for c in text.utf8 {
            if c < 0x20 || c == 0x7F || "/=%\\:*?\"<>|#".utf8.contains(c) {
                out.append(UInt8(ascii: "%"))
                for nibble in [c >> 4, c & 15] { out.append(nibble < 10 ? 48 + nibble : 55 + nibble) }
            } else {
                out.append(c)
            }
        }
        // A value that is nothing but dots would climb directories.
        if !out.isEmpty, out.allSatisfy({ $0 == UInt8(ascii: ".") }) { return out.map { _ in "%2E" }.joined() }
        return String(decoding: out, as: UTF8.self)
    }
}
