public import ConnectAPI
import CSV

/// Reads files in turn and emits their rows.
public struct CSVSourceTask: SourceTask {
    private let configuration: CSVSourceConfiguration
    private let settings: CSVSettings
    private let files: FileSet
    private let cleanup: FileCleanup
    private let records: RecordBuilder
    private let context: TaskContext
    private var progress: [String: FileProgress]
    private var clock: ReplayClock
    private let rejected: RejectedRows

    init(
        _ configuration: CSVSourceConfiguration, _ settings: CSVSettings, _ files: FileSet, _ progress: [String: FileProgress], _ context: TaskContext
    ) {
        self.configuration = configuration
        self.settings = settings
        self.files = files
        self.progress = progress
        self.context = context
        cleanup = FileCleanup(
            policy: configuration.cleanup, finishedPath: configuration.finishedPath ?? "",
            errorPath: configuration.haltOnError ? nil : configuration.errorPath)
        records = RecordBuilder(configuration, settings)
        rejected = RejectedRows(configuration, context)
        clock = ReplayClock(
            configuration.rowsPerSecond > 0
                ? .rate(configuration.rowsPerSecond) : configuration.timeColumn.map { .column($0, speed: configuration.speed) } ?? .none)
    }

    private var isTailing: Bool { configuration.atEnd == "tail" }
    private var isLooping: Bool { configuration.atEnd == "loop" }

    public mutating func run(_ output: any SourceOutput) async throws {
        let reader = CSVFileReader(
            CSVFileReader.Options(
                settings: settings, compression: configuration.compression, hasHeader: configuration.firstRowAsHeader,
                skipLines: configuration.skipLines, infersTypes: configuration.infersTypes, inferRows: configuration.inferRows,
                batchSize: configuration.batchSize, caseSensitiveNames: configuration.caseSensitiveNames, isTailing: isTailing,
                longestRow: min(context.memoryBudget / 2, 256 << 20)))
        defer { reader.stop() }
        var pass = progress.values.map(\.pass).max() ?? 0, hasSaidNone = false
        while true {
            let entries = try files.list()
            if entries.isEmpty, !hasSaidNone {
                context.log.warn("There is no file to read at \(configuration.file ?? configuration.inputPath ?? "") yet")
                hasSaidNone = true
            }
            var hasNews = false
            for entry in entries { if try await read(entry, pass, reader, output) { hasNews = true } }
            if hasNews { continue }
            if isLooping, !entries.isEmpty {
                pass += 1
                continue
            }
            if configuration.atEnd == "stop", !entries.isEmpty { return try await output.flush() }
            try await Task.sleep(for: .milliseconds(configuration.emptyPollWait))
        }
    }

    /// Reads what a file has that was not read; false: nothing.
    private mutating func read(_ entry: FileSet.Entry, _ pass: Int64, _ reader: CSVFileReader, _ output: any SourceOutput) async throws -> Bool {
        var from = try start(of: entry, pass)
        if from.isFinished {
            if configuration.cleanup != .none { try cleanup.finish(entry.path) }
            return false
        }
        if isTailing, progress[entry.path] != nil, from.size == entry.size, from.inode == entry.inode { return false }
        do {
            from = try await reader.open(entry.path, from: from)
            while let chunk = try await reader.next() { try await emit(chunk, entry.path, output) }
            var end = progress[entry.path] ?? from
            if isTailing {
                // Looked at and taken as far as it goes; a last line without its end is looked at again when the file grows.
                (end.size, end.inode) = (entry.size, entry.inode)
                progress[entry.path] = end
                return false
            }
            end.isFinished = true
            try await finish(entry.path, at: end, output)
        } catch let error as ConnectorError where Self.isOfFile(error) && !configuration.haltOnError {
            context.log.error("\(error); going on with the next file")
            var end = progress[entry.path] ?? from
            end.isFinished = true
            progress[entry.path] = end
            try await output.emit([], at: end.sourcePosition(entry.path))
            try await output.flush()
            try cleanup.fail(entry.path)
        }
        return true
    }

    private mutating func finish(_ path: String, at end: FileProgress, _ output: any SourceOutput) async throws {
        progress[path] = end
        try await output.emit([], at: end.sourcePosition(path))
        rejected.summarize(path, context.log)
        guard configuration.cleanup != .none else { return }
        // Invariant 1: the file goes when the log has its rows.
        try await output.flush()
        try cleanup.finish(path)
    }

    private static func isOfFile(_ error: ConnectorError) -> Bool {
        error.disposition == .reject || ["csv.bad_row", "csv.bad_header", "csv.no_header", "csv.row_too_long", "csv.missing_column"].contains(error.code)
    }

    /// Where to read a file from: as its offset says, if it is still the same file.
    private func start(of entry: FileSet.Entry, _ pass: Int64) throws -> FileProgress {
        var fresh = FileProgress()
        fresh.pass = pass
        guard let known = progress[entry.path] else {
            if pass == 0, let rows = try importedRows(), progress.isEmpty { fresh.row = rows }
            return fresh
        }
        if isLooping, known.pass < pass { return fresh }
        if known.size == entry.size, known.inode == entry.inode { return known }
        if known.identity?.matches(entry.path) ?? true, entry.size >= known.size {
            var known = known
            // What a file gained since it was read to its end is read, too, unless it is packed.
            if entry.size > known.size, known.position == known.size { known.isFinished = false }
            return known
        }
        // A file that was moved away or deleted made room for another one.
        if known.isFinished, configuration.cleanup != .none { return fresh }
        guard configuration.fileChanged == "restart" else {
            throw ConnectorError(
                "csv.file_changed", .stop,
                "\(entry.path) is not the file that was read up to row \(known.row): it begins differently or is shorter",
                hint: "Set file.changed=restart to read it from its first row, or put the old file back")
        }
        context.log.warn("\(entry.path) is another file than before and is read from its first row")
        return fresh
    }

    /// How many rows another program says it has sent.
    private func importedRows() throws -> Int64? {
        guard let path = configuration.checkpointImport else { return nil }
        let file = try FileBytes(path, compression: "none")
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = try bytes.withUnsafeMutableBytes { try file.read($0) }
        let digits = bytes[..<count].drop { !(48...57).contains($0) }.prefix { (48...57).contains($0) }
        guard let rows = Int64(String(decoding: digits, as: UTF8.self)) else {
            throw ConnectorError("csv.bad_checkpoint", .stop, "\(path) holds no number of rows", hint: "Correct or remove checkpoint.import.file")
        }
        return rows
    }

    // MARK: Emitting

    private mutating func emit(_ chunk: CSVChunk, _ path: String, _ output: any SourceOutput) async throws {
        var taken = 0
        if let first = chunk.bad.first, !rejected.areTolerated {
            if first.goodBefore > 0 {
                try await emit(chunk, 0..<first.goodBefore, bad: [], at: chunk.progress(after: first.goodBefore), path, output)
            }
            throw rejected.error(first, path)
        }
        guard clock.isPaced else { return try await emit(chunk, 0..<chunk.count, bad: chunk.bad[...], at: chunk.end, path, output) }
        let times = configuration.timeColumn.flatMap { name in chunk.columns.first { $0.name == name }?.column }
        if configuration.timeColumn != nil, times == nil {
            throw ConnectorError("csv.missing_column", .stop, "\(path) has no column \(configuration.timeColumn ?? "")", hint: "Correct time.column")
        }
        let dues = clock.dues(chunk.count, times: times)
        var bad = chunk.bad[...]
        while taken < chunk.count {
            if dues[taken] > .now { try await Task.sleep(until: dues[taken]) }
            let now = ContinuousClock.now + .milliseconds(5)
            let due = dues[taken...].firstIndex { $0 > now } ?? chunk.count, rows = taken..<max(due, taken + 1)
            let isLast = rows.upperBound == chunk.count
            let badHere = bad.prefix { isLast || $0.goodBefore < rows.upperBound }
            bad = bad.dropFirst(badHere.count)
            try await emit(chunk, rows, bad: badHere, at: isLast ? chunk.end : chunk.progress(after: rows.upperBound), path, output)
            taken = rows.upperBound
        }
        if chunk.count == 0 { try await emit(chunk, 0..<0, bad: bad, at: chunk.end, path, output) }
    }

    private mutating func emit(
        _ chunk: CSVChunk, _ rows: Range<Int>, bad: ArraySlice<CSVChunk.BadRow>, at end: FileProgress, _ path: String, _ output: any SourceOutput
    ) async throws {
        var batches: [RecordBatch] = []
        if !rows.isEmpty { batches.append(try records.batch(chunk, rows, path)) }
        if let letters = rejected.take(bad, path) { batches.append(letters) }
        try await output.emit(batches, at: end.sourcePosition(path))
        progress[path] = end
    }
}
