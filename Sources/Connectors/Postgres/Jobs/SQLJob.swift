public import ConnectAPI
import Glibc

/// Statements that run in PostgreSQL on a schedule; a source of records about its runs.
///
///     schedule ─▶ BEGIN; set parameters; statements; COMMIT ─▶ {job, started_at, duration_ms, rows} ─▶ topic
///
/// It is a connector, not a tool beside the worker, so that it is paused, restarted, watched and kept alive like everything else of a pipeline
/// (Invariant 9). A run and its offset do not commit together: a worker that dies between them runs the job again when it starts.
public struct SQLJob: SourceConnector {
    public typealias Configuration = SQLJobConfiguration

    public static let info = ConnectorInfo(
        className: "io.sluice.connect.postgres.SqlJobConnector", version: "1.0.0", documentation: "SQL statements on a schedule, in PostgreSQL.")

    private let configuration: SQLJobConfiguration

    public init(_ configuration: Configuration) throws { self.configuration = configuration }

    public func check() async -> [Diagnostic] {
        do {
            let connection = try await Connection.open(configuration.connectionParameters)
            await connection.close()
            return []
        } catch {
            return [Diagnostic("database.hostname", "\(error)")]
        }
    }

    public func taskConfigurations(maxTasks: Int) async throws -> [[String: String]] { [[:]] }

    public func makeTask(
        _ configuration: [String: String], resumingAt positions: [SourcePosition], _ context: TaskContext
    ) async throws -> sending SQLJobTask {
        let position = positions.first { $0.partition[SQLJobTask.partitionKey]?.stringValue == context.connector }
        return SQLJobTask(self.configuration, lastRun: position?.offset[SQLJobTask.offsetKey]?.integerValue, context)
    }

    public static var managesOffsetChanges: Bool { true }
}

/// Waits, runs, says so.
public struct SQLJobTask: SourceTask {
    private let configuration: SQLJobConfiguration
    private let schedule: CronSchedule?
    private let context: TaskContext
    /// When the last run was due, or began, in milliseconds since 1970.
    private var lastRun: Int64?

    static let partitionKey = "job", offsetKey = "ran_at"

    init(_ configuration: SQLJobConfiguration, lastRun: Int64?, _ context: TaskContext) {
        self.configuration = configuration
        // crossCheck has read both.
        schedule = configuration.cron.flatMap { CronSchedule($0, zone: (try? TimeZoneRules(configuration.zone)) ?? .utc) }
        self.context = context
        self.lastRun = lastRun
    }

    public mutating func run(_ output: any SourceOutput) async throws {
        while true {
            let now = WallClock.milliseconds
            // A run that fell into a stop is made up for once.
            let due = schedule.map { $0.next(after: lastRun ?? now) ?? .max } ?? lastRun.map { $0 + (configuration.interval ?? 0) } ?? now
            if due > now {
                try await Task.sleep(for: .milliseconds(min(due - now, 3_600_000)))
                if due > WallClock.milliseconds { continue }
            }
            let started = WallClock.milliseconds, rows = try await execute()
            lastRun = started
            context.metrics.add("sluice_sql_job_runs_total", ["connector": context.connector], 1)
            try await output.emit(record(started, rows), at: position(started))
        }
    }

    /// How many rows the last statement changed or gave.
    private func execute() async throws -> Int64 {
        let connection = try await Connection.open(configuration.connectionParameters)
        // One simple query is one transaction, and the parameters are its own.
        let settings = configuration.parameters.sorted { $0.key < $1.key }.map { "SELECT set_config(\(literal("job." + $0.key)), \(literal($0.value)), true);" }
        let rows = try await connection.query(settings.joined() + (try statements()), [], "Running the SQL job \(context.connector)")
        await connection.close()
        return Int64(rows.affected)
    }

    private func statements() throws -> String {
        guard let path = configuration.sqlFile else { return configuration.sql ?? "" }
        guard let file = fopen(path, "r") else {
            throw ConnectorError("postgres.job_file", .stop, "\(path) cannot be read: \(String(cString: strerror(errno)))", hint: "Correct sql.file")
        }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    private func position(_ started: Int64) -> SourcePosition {
        SourcePosition(partition: [Self.partitionKey: .string(context.connector)], offset: [Self.offsetKey: .integer(started)])
    }

    private static let schema = Schema.struct(
        [
            .init("job", Schema(.string)), .init("started_at", Schema(.int64, name: LogicalName.connectTimestamp, version: 1)),
            .init("duration_ms", Schema(.int64)), .init("rows", Schema(.int64)),
        ], name: "io.sluice.SqlJobRun")

    private func record(_ started: Int64, _ rows: Int64) -> [RecordBatch] {
        guard let topic = configuration.topic, !topic.isEmpty else { return [] }
        let value = Column(Self.schema, [.struct([.string(context.connector), .integer(started), .integer(WallClock.milliseconds - started), .integer(rows)])])
        return [
            RecordBatch(topic: topic, count: 1, key: nil, value: value, timestamps: .constant(.integer(started), RecordBatch.timestampSchema, count: 1))
        ]
    }
}
