public import ConnectAPI
import Glibc

/// Rows of CSV files as records with typed columns: read once, watched, followed as they grow, or replayed at the pace of their own clock.
///
///     files ─▶ CSVFileReader (a thread): bytes ─▶ rows ─▶ columns ─▶ ReplayClock ─▶ enrichment ─▶ emit at {file: {position, row, …}}
///                                                   └▶ bad rows ─▶ dead letter topic, in the same frame
///
/// A file's offset holds the byte position of the next row, what the file began with, and the columns' types: a restart reads on at that row
/// with those types, or says that the file is another. Rows and offset become durable together (Invariant 2). Takes the configuration of
/// `com.github.jcustenborder.kafka.connect.spooldir.SpoolDirCsvSourceConnector`.
public struct CSVSource: SourceConnector {
    public typealias Configuration = CSVSourceConfiguration

    public static let info = ConnectorInfo(
        className: "com.github.jcustenborder.kafka.connect.spooldir.SpoolDirCsvSourceConnector", aliases: ["io.sluice.connect.csv.CsvSourceConnector"],
        version: "2.0.66", documentation: "Rows of CSV files, typed, at full speed or replayed at a pace.")

    private let configuration: CSVSourceConfiguration
    private let settings: CSVSettings

    public init(_ configuration: Configuration) throws {
        self.configuration = configuration
        do {
            settings = try CSVSettings(configuration)
        } catch {
            throw ConnectorError("csv.bad_configuration", .stop, "\(error.key): \(error.message)")
        }
    }

    public func check() async -> [Diagnostic] {
        var findings: [Diagnostic] = []
        func directory(_ key: String, _ path: String?) {
            guard let path, !path.isEmpty else { return }
            var status = stat()
            if stat(path, &status) != 0 || status.st_mode & S_IFMT != S_IFDIR { findings.append(Diagnostic(key, "\(path) is no directory")) }
        }
        directory("input.path", configuration.inputPath)
        directory("finished.path", configuration.finishedPath)
        directory("error.path", configuration.errorPath)
        return findings
    }

    /// Files are divided by name; one named file is one task.
    public func taskConfigurations(maxTasks: Int) async throws -> [[String: String]] {
        let isSingle = configuration.file.map { !$0.contains { "*?[{".contains($0) } } ?? false
        let count = isSingle ? 1 : max(1, maxTasks)
        return (0..<count).map { ["task.index": String($0), "task.count": String(count)] }
    }

    public func makeTask(
        _ configuration: [String: String], resumingAt positions: [SourcePosition], _ context: TaskContext
    ) async throws -> sending CSVSourceTask {
        let index = configuration["task.index"].flatMap { Int($0) } ?? 0, count = configuration["task.count"].flatMap { Int($0) } ?? 1
        var known: [String: FileProgress] = [:]
        for position in positions {
            guard let path = position.partition[FileProgress.fileKey]?.stringValue else { continue }
            known[path] = try FileProgress(position.offset)
        }
        return CSVSourceTask(self.configuration, settings, try FileSet(self.configuration, task: index, of: count), known, context)
    }

    public static var managesOffsetChanges: Bool { true }

    public func validateOffsets(_ positions: [SourcePosition]) throws {
        for position in positions where !position.offset.entries.isEmpty {
            guard position.partition[FileProgress.fileKey]?.stringValue != nil else {
                throw ConnectorError("csv.bad_offset", .stop, "A partition must be {\"file\": the file's path}")
            }
            _ = try FileProgress(position.offset)
        }
    }
}
