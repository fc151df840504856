import ConnectAPI
import JSON

/// The directories a template's variables make: one a combination of key, fields and hours, as Aiven's record groupers divide.
///
///     time groups ──▶ TimeDirectories, all in one pass ──▶ code ┐
///     key, fields ──▶ codes per column ─────────────────────────┴▶ composite ──▶ directory: the groups' texts in the template's order
struct TemplateGroups {
    private let groups: [NameTemplate.Group]
    private var time: TimeDirectories?
    private var timeTexts: [String] = []
    private var timeCodes: [String: Int32] = [:]
    private var codes: [FieldCodes]
    private var directories: [[Int32]: Int32] = [:]

    init(_ groups: [NameTemplate.Group], zone: TimeZoneRules, extractor: TimestampExtractor) {
        self.groups = groups
        let formats = groups.compactMap { if case .time(let format) = $0 { format } else { nil } }
        if !formats.isEmpty {
            let joined = formats.map { [$0.tokens] }.joined(separator: [[.literal(NameTemplate.separator)]]).flatMap { $0 }
            time = TimeDirectories(duration: 3_600_000, format: PathFormat(tokens: joined), zone: zone, extractor: extractor)
        }
        codes = groups.map { _ in FieldCodes() }
    }

    mutating func assign(_ batch: ConsumedBatch, value: Column?, nulls: Bitmap?, now: Int64, _ intern: (String) -> Int32) -> Partitioner.Result {
        guard var time else {
            return columns(batch, value, Partitioner.Result(rows: .all(0)), intern)
        }
        // Times alone: their texts, joined, are the directories.
        let isAlone = groups.allSatisfy { if case .time = $0 { true } else { false } }
        self.time = nil
        let result = time.assign(batch, value: value, nulls: nulls, now: now) { isAlone ? intern($0) : code(of: $0) }
        self.time = time
        return isAlone ? result : columns(batch, value, result, intern)
    }

    private mutating func code(of text: String) -> Int32 {
        if let known = timeCodes[text] { return known }
        let code = Int32(timeTexts.count)
        timeTexts.append(text)
        timeCodes[text] = code
        return code
    }

    /// Divides further by key and fields; `times.rows` are codes of time texts.
    private mutating func columns(_ batch: ConsumedBatch, _ value: Column?, _ times: Partitioner.Result, _ intern: (String) -> Int32) -> Partitioner.Result {
        let count = batch.batch.count
        var columns: [[Int32]?] = []
        for (i, group) in groups.enumerated() {
            let column: Column?
            switch group {
            case .time:
                columns.append(nil)
                continue
            case .key: column = batch.batch.key
            case .field(let path): column = value.flatMap { FieldPath.column(path, in: $0) }
            }
            guard let column else {
                columns.append([Int32](repeating: FieldCodes.null, count: count))
                continue
            }
            columns.append(codes[i].codes(of: column) ?? codes[i].codes(of: GroupText.column(column)))
        }
        if columns.allSatisfy({ $0 == nil }), case .all(0) = times.rows, time == nil { return Partitioner.Result(rows: .all(intern(""))) }
        var rows = [Int32](repeating: Partitioner.Rows.rejected, count: count), last: (composite: [Int32], directory: Int32)?,
            differing = !times.rejects.isEmpty
        for row in 0..<count where times.rows[row] != Partitioner.Rows.rejected {
            if let last, last.composite[0] == times.rows[row], matches(last.composite, columns, row) {
                rows[row] = last.directory
                continue
            }
            let composite = [times.rows[row]] + columns.map { $0?[row] ?? 0 }
            let directory = directories[composite] ?? intern(name(composite))
            directories[composite] = directory
            if last != nil { differing = true }
            last = (composite, directory)
            rows[row] = directory
        }
        return Partitioner.Result(rows: differing || last == nil ? .each(rows) : .all(last!.directory), times: times.times, rejects: times.rejects)
    }

    private func matches(_ composite: [Int32], _ columns: [[Int32]?], _ row: Int) -> Bool {
        for i in columns.indices { if let column = columns[i], column[row] != composite[i + 1] { return false } }
        return true
    }

    private func name(_ composite: [Int32]) -> String {
        var times = time == nil ? [] : timeTexts[Int(composite[0])].split(separator: NameTemplate.separator, omittingEmptySubsequences: false)[...]
        return groups.indices.map { i -> String in
            if case .time = groups[i] { return String(times.removeFirst()) }
            // A separator within a value would move the texts after it.
            return (codes[i].text(composite[i + 1]) ?? "null").split(separator: NameTemplate.separator, omittingEmptySubsequences: false).joined(separator: " ")
        }.joined(separator: NameTemplate.separator)
    }
}

/// Keys and fields that are no integers, strings or booleans, as text: Java's `toString`, which Aiven's connectors put into names. Bytes are
/// their UTF-8 text, or hexadecimal where they are none (Java would give an address).
enum GroupText {
    static func column(_ column: Column) -> Column {
        Column(Schema(.string, optional: true), (0..<column.count).map { row in column.isNull(row) ? .null : .string(text(column[row], column.schema)) })
    }

    private static func text(_ value: Value, _ schema: Schema) -> String {
        switch value {
        case .null: "null"
        case .boolean(let b): String(b)
        case .integer(let i): String(i)
        case .float(let f): JavaNumber.string(f)
        case .double(let d): JavaNumber.string(d)
        case .string(let s): s
        case .bytes(let b): String(validating: b, as: UTF8.self) ?? Digest.hex(b)
        case .array(let items): "[" + items.map { text($0, schema.element ?? schema) }.joined(separator: ", ") + "]"
        case .map(let entries):
            "{" + entries.map { "\(text($0.key, schema.key ?? schema))=\(text($0.value, schema.element ?? schema))" }.joined(separator: ", ") + "}"
        case .struct(let members):
            "Struct{" + zip(schema.fields, members).filter { !$1.isNull }.map { "\($0.name)=\(text($1, $0.schema))" }.joined(separator: ",") + "}"
        }
    }
}
