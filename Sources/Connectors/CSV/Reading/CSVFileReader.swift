import ConnectAPI
import CSV
import Glibc

/// Reads one file after the other on a thread of its own: bytes, rows, columns.
///
///     open(path, from: progress) ─▶ header, types ─▶ next() ─▶ CSVChunk … ─▶ nil at the end of the file as it stands
///
/// At the end `next` may be called again: a file that grew has more then.
actor CSVFileReader {
    struct Options: Sendable {
        let settings: CSVSettings
        let compression: String
        let hasHeader: Bool
        let skipLines: Int
        let infersTypes: Bool
        let inferRows: Int
        let batchSize: Int
        let caseSensitiveNames: Bool
        /// A last line without its end waits for it.
        let isTailing: Bool
        let longestRow: Int
    }

    private let options: Options
    private let thread = ThreadExecutor("csv-reader")
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private let tokenizer: CSVTokenizer
    private var rows = CSVRows()
    private var file: FileBytes?
    private var columns = CSVColumnReader([])
    private var progress = FileProgress()
    /// What was read and not yet taken: `buffer[start..<end]`.
    private var buffer: [UInt8] = []
    private var start = 0, end = 0
    private var isAtEnd = false

    private static let readSize = 256 << 10

    init(_ options: Options) {
        self.options = options
        tokenizer = CSVTokenizer(options.settings.dialect)
    }

    /// Lets the thread end. Nothing may be called afterwards.
    nonisolated func stop() { thread.stop() }

    // MARK: Opening

    /// Opens a file where `from` says. Returns the progress with what is known of the file now.
    func open(_ path: String, from: FileProgress) throws -> FileProgress {
        let file = try FileBytes(path, compression: options.compression)
        self.file = file
        (start, end, isAtEnd) = (0, 0, false)
        progress = FileProgress()
        try readHead(declared: from.columns)
        progress.columns = columns.columns.declaration
        progress.pass = from.pass
        progress.identity = FileIdentity(of: path)
        if from.position > progress.position {
            let again = file.compression == .none ? file : try FileBytes(path, compression: options.compression)
            guard try again.skip(from.position) else {
                throw ConnectorError(
                    "csv.file_changed", .stop, "\(path) is shorter than \(from.position) bytes, which the log has rows up to",
                    hint: "Set file.changed=restart to read it from its first row, or change the offset")
            }
            self.file = again
            (start, end, isAtEnd) = (0, 0, false)
            (progress.position, progress.row, progress.line) = (from.position, from.row, from.line)
        } else if from.row > 0 {
            try skip(rows: from.row)
        }
        note(self.file!.status)
        return progress
    }

    private func note(_ status: stat) {
        progress.size = Int64(status.st_size)
        progress.inode = Int64(bitPattern: UInt64(status.st_ino))
    }

    /// Skipped lines, the header, and the rows types are inferred from. Leaves the rows to be read again.
    private func readHead(declared known: String?) throws {
        try fill(atLeast: Self.readSize)
        if end - start >= 3, buffer[start..<start + 3].elementsEqual([0xEF, 0xBB, 0xBF]) { take(3) }
        for _ in 0..<options.skipLines { try skipLine() }
        let settings = options.settings
        var names: [String] = []
        if options.hasHeader {
            guard let header = try headerRow() else {
                guard options.isTailing || !settings.declared.isEmpty || known != nil else {
                    throw ConnectorError(
                        "csv.no_header", .stop, "\(file?.path ?? "") has no header row", hint: "Declare the columns and set csv.first.row.as.header=false")
                }
                columns = CSVColumnReader([])
                return
            }
            names = header
        }
        if let known {
            guard let list = try? CSVColumn.list(known) else {
                throw ConnectorError("csv.bad_offset", .stop, "The offset's columns are no column list")
            }
            return use(list)
        }
        if !options.hasHeader, !settings.declared.isEmpty { return use(settings.declared) }
        let inferred = try inference(width: names.isEmpty ? nil : names.count)
        if names.isEmpty { names = (0..<inferred.count).map { "column\(String($0 + 1).leftPadded(to: 2))" } }
        func matches(_ a: String, _ b: String) -> Bool { options.caseSensitiveNames ? a == b : a.lowercased() == b.lowercased() }
        for column in settings.declared where !names.contains(where: { matches($0, column.name) }) {
            throw ConnectorError(
                "csv.missing_column", .stop, "\(file?.path ?? "") has no column \(column.name)", hint: "Its columns are \(names.joined(separator: ", "))")
        }
        use(
            zip(names, inferred).map { name, type in
                settings.declared.first { matches($0.name, name) }.map { CSVColumn($0.name, $0.type, optional: $0.isOptional) }
                    ?? CSVColumn(name, options.infersTypes ? type : .string)
            })
    }

    private func use(_ list: [CSVColumn]) {
        columns = CSVColumnReader(list, nulls: options.settings.nulls, charset: options.settings.charset, zone: options.settings.zone)
    }

    private func headerRow() throws -> [String]? {
        while true {
            let names: [String]? = scan(width: nil, limit: 1, isFinal: isAtEnd) { bytes, rows in
                rows.count == 0 ? nil : CSVText.row(0, of: rows, width: rows.fields.count, bytes, options.settings.charset)
            }
            if let names {
                take(rows.consumed, lines: rows.consumedLines)
                return try distinct(names)
            }
            if isAtEnd { return nil }
            try fill(atLeast: end - start + Self.readSize)
        }
    }

    /// Names that are empty or come twice would not make a struct.
    private func distinct(_ names: [String]) throws -> [String] {
        var seen: Set<String> = []
        for (i, name) in names.enumerated() where name.isEmpty || !seen.insert(name).inserted {
            throw ConnectorError(
                "csv.bad_header", .stop,
                "The header of \(file?.path ?? "") \(name.isEmpty ? "does not name column \(i + 1)" : "names the column \(name) twice")",
                hint: "Declare the columns, skip the header with csv.skip.lines and set csv.first.row.as.header=false")
        }
        return names
    }

    private func inference(width: Int?) throws -> [CSVColumnType] {
        try fill(atLeast: 1 << 20)
        return scan(width: width, limit: options.inferRows, isFinal: isAtEnd) { bytes, rows in
            let width = width ?? (rows.count == 0 ? 0 : rows.fields.count / rows.count)
            var inference = CSVTypeInference(width: width, nullText: options.settings.nulls.text)
            inference.observe(rows, bytes)
            return inference.types
        }
    }

    private func skipLine() throws {
        while true {
            if let newline = buffer[start..<end].firstIndex(of: UInt8(ascii: "\n")) { return take(newline + 1 - start, lines: 1) }
            if isAtEnd { return take(end - start) }
            try fill(atLeast: end - start + Self.readSize)
        }
    }

    /// For an offset that counts rows only, as one imported from another program.
    private func skip(rows count: Int64) throws {
        while progress.row < count {
            let limit = Int(min(count - progress.row, Int64(options.batchSize)))
            let taken = scan(width: columns.columns.count, limit: limit, isFinal: isAtEnd) { _, rows in rows.count + rows.malformed.count }
            take(rows.consumed, lines: rows.consumedLines)
            progress.row += Int64(taken)
            if taken == 0 {
                if isAtEnd { return }
                try fill(atLeast: end - start + Self.readSize)
            }
        }
    }

    // MARK: Reading

    /// The next rows; nil at the end of the file as it stands.
    func next() throws -> CSVChunk? {
        if columns.columns.isEmpty, options.isTailing {
            // The header had not come when the file was opened.
            _ = try open(file?.path ?? "", from: progress)
            guard !columns.columns.isEmpty else { return nil }
        }
        isAtEnd = false
        while true {
            if end - start < Self.readSize / 4 { try fill(atLeast: Self.readSize) }
            if start == end { return nil }
            let next: CSVChunk? = scan(width: columns.columns.count, limit: options.batchSize, isFinal: isAtEnd && !options.isTailing) { bytes, rows in
                rows.consumed == 0 ? nil : chunk(bytes, rows)
            }
            if let chunk = next {
                take(rows.consumed)
                progress = chunk.end
                return chunk
            }
            // No whole row: more bytes, if there are any.
            let before = end
            try fill(atLeast: end - start + Self.readSize)
            if end == before { return nil }
            if end - start > options.longestRow {
                throw ConnectorError(
                    "csv.row_too_long", .stop, "\(file?.path ?? "") has a row of more than \(options.longestRow) bytes at line \(progress.line + 1)",
                    hint: "Is a quote not closed there? csv.quote.char=0 reads quotes as text")
            }
        }
    }

    private func chunk(_ bytes: UnsafeRawBufferPointer, _ rows: CSVRows) -> CSVChunk {
        let parsed = columns.parse(rows, bytes)
        let base = progress
        // Malformed rows have numbers too: rows and malformed ones are counted in the order of the file.
        var numbers: [Int64] = [], bad: [CSVChunk.BadRow] = [], ends: [(position: Int64, line: Int64)] = []
        numbers.reserveCapacity(rows.count)
        ends.reserveCapacity(rows.count)
        var malformed = rows.malformed[...], unparsed = parsed.bad[...], number = base.row
        let status = file?.status ?? stat()
        note(status)
        func takeMalformed(before start: Int) {
            while let first = malformed.first, first.range.lowerBound < start {
                bad.append(
                    .init(
                        row: number, line: base.line + Int64(first.line) + 1, reason: first.reason, bytes: Array(bytes[first.range]),
                        goodBefore: numbers.count))
                malformed.removeFirst()
                number += 1
            }
        }
        for row in 0..<rows.count {
            takeMalformed(before: Int(rows.starts[row]))
            if let first = unparsed.first, first.row == row {
                bad.append(
                    .init(
                        row: number, line: base.line + Int64(rows.lines[row]) + 1, reason: first.reason,
                        bytes: Array(bytes[Int(rows.starts[row])..<Int(rows.ends[row])]), goodBefore: numbers.count))
                unparsed.removeFirst()
                number += 1
                continue
            }
            numbers.append(number)
            number += 1
            let isLast = row + 1 == rows.count
            ends.append(
                (
                    base.position + Int64(isLast ? rows.consumed : Int(rows.starts[row + 1])),
                    base.line + Int64(isLast ? rows.consumedLines : Int(rows.lines[row + 1]))
                ))
        }
        takeMalformed(before: .max)
        var end = progress
        (end.position, end.line, end.row) = (base.position + Int64(rows.consumed), base.line + Int64(rows.consumedLines), number)
        return CSVChunk(
            columns: zip(columns.columns, parsed.columns).map { ($0.name, $1) }, count: numbers.count, rows: numbers, ends: ends, bad: bad,
            end: end, modified: Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000)
    }

    private func scan<T>(width: Int?, limit: Int, isFinal: Bool, _ body: (UnsafeRawBufferPointer, CSVRows) -> T) -> T {
        buffer.withUnsafeBytes { bytes in
            let pending = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
            tokenizer.scan(pending, into: &rows, width: width, limit: limit, isFinal: isFinal)
            return body(pending, rows)
        }
    }

    private func take(_ count: Int, lines: Int = 0) {
        start += count
        progress.position += Int64(count)
        progress.line += Int64(lines)
    }

    /// Reads until so many bytes are there or the file ends.
    private func fill(atLeast count: Int) throws {
        guard let file else { return }
        if start > 0 {
            buffer.withUnsafeMutableBytes { $0.baseAddress?.copyMemory(from: $0.baseAddress! + start, byteCount: end - start) }
            end -= start
            start = 0
        }
        if buffer.count < count + Self.readSize { buffer.append(contentsOf: repeatElement(0, count: count + Self.readSize - buffer.count)) }
        while end < count {
            let got = try buffer.withUnsafeMutableBytes { try file.read(UnsafeMutableRawBufferPointer(rebasing: $0[end...])) }
            if got == 0 {
                isAtEnd = true
                return
            }
            end += got
        }
    }
}

extension String {
    fileprivate func leftPadded(to width: Int) -> String { String(repeating: "0", count: max(0, width - count)) + self }
}
