public import ConnectAPI

/// The keys of `SQLJob`; those of the database are the PostgreSQL source's.
public struct SQLJobConfiguration: ConnectConfiguration {
    @Field("sql", importance: .high, doc: "The statements to run, in one transaction") var sql: String?
    @Field("sql.file", importance: .high, doc: "A file that holds them, instead of sql; read at every run") var sqlFile: String?
    @Field("job.cron", importance: .high, doc: "When to run, as cron spells it: */10 * * * *") var cron: String?
    @Field("job.zone", default: "UTC", importance: .low, doc: "The zone of job.cron: UTC, ±hh:mm or a name such as Europe/Paris") var zone: String
    @Field("job.interval.ms", importance: .high, doc: "Milliseconds between two runs, instead of job.cron", check: .atLeast(1)) var interval: Int64?
    @Field("topic", importance: .high, doc: "A topic that gets a record of every run; none when absent") var topic: String?
    @Field("database.hostname", importance: .high, doc: "Host name or address of the database server", check: .nonEmpty) var hostname: String
    @Field("database.port", default: "5432", importance: .high, doc: "Port of the database server") var port: Int
    @Field("database.user", importance: .high, doc: "User to connect as", check: .nonEmpty) var user: String
    @Field("database.password", importance: .high, doc: "Password of the user") var password: Secret?
    @Field("database.dbname", importance: .high, doc: "Database to run in", check: .nonEmpty) var database: String
    /// The other `database.` keys of the PostgreSQL source count, too.
    @FieldPrefix("database.") var connection: [String: String]
    /// `sql.parameter.percentage` is `current_setting('job.percentage')` in the statements.
    @FieldPrefix("sql.parameter.") var parameters: [String: String]

    public init() {}

    public func crossCheck() -> [Diagnostic] {
        var findings: [Diagnostic] = []
        if (sql == nil) == (sqlFile == nil) { findings.append(Diagnostic("sql", "Give one of sql and sql.file")) }
        if (cron == nil) == (interval == nil) { findings.append(Diagnostic("job.cron", "Give one of job.cron and job.interval.ms")) }
        do {
            let zone = try TimeZoneRules(zone)
            if let cron, CronSchedule(cron, zone: zone) == nil {
                findings.append(Diagnostic("job.cron", "It is no cron expression that is ever due; five fields such as */5 * * * *, or six with seconds first"))
            }
        } catch {
            findings.append(Diagnostic("job.zone", error.description))
        }
        for name in parameters.keys.sorted() where !name.utf8.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "_") }) {
            findings.append(Diagnostic("sql.parameter.\(name)", "A parameter's name is of small letters, digits and underscores"))
        }
        return findings
    }

    var connectionParameters: ConnectionParameters {
        var values = Dictionary(uniqueKeysWithValues: connection.map { ("database.\($0.key)", $0.value) })
        values["topic.prefix"] = "job"
        return ConnectionParameters(PostgresConfiguration.parse(values).configuration)
    }
}
