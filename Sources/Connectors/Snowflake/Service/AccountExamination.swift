import ConnectAPI
import Transport

/// `sluice doctor`: looks at the account, then takes one row the way the connector would, through a stage, a table and a pipe of its own, which it drops.
/// The step that needs a grant is the one that names it.
struct AccountExamination {
    private let configuration: SnowflakeSinkConfiguration
    private let pool: BlockingPool

    init(_ configuration: SnowflakeSinkConfiguration, pool: BlockingPool) {
        self.configuration = configuration
        self.pool = pool
    }

    /// Which step the finding of a key belongs to, in the order they are looked at. Without the first two nothing else can be.
    private static let steps: [(name: String, keys: Set<String>, text: String)] = [
        ("database", ["snowflake.database.name"], "the role may use it"), ("schema", ["snowflake.schema.name"], "the role may use it"),
        ("warehouse", ["snowflake.warehouse.name"], "the role may use it"),
        ("stage's grants", ["snowflake.stage.name"], "the role sees the stage that is named, if one is"),
        ("tables' grants", ["snowflake.topic2table.map"], "the role may load those that are there"),
    ]

    func run(_ doctor: any Doctor) async {
        let findings = await AccountCheck(configuration, pool: pool).findings()
        func found(_ finding: Diagnostic) -> ConnectorError { ConnectorError("doctor.finding", .stop, "\(finding.key): \(finding.message)") }
        let known = Set(Self.steps.flatMap(\.keys))
        guard
            await doctor.step(
                "login",
                {
                    if let other = findings.first(where: { !known.contains($0.key) }) { throw found(other) }
                    return "user \(configuration.user), \(configuration.role.map { "role \($0)" } ?? "the user's role")"
                })
        else { return }
        var isSound = true
        for (i, step) in Self.steps.enumerated() {
            let isFine = await doctor.step(step.name) {
                if let finding = findings.first(where: { step.keys.contains($0.key) }) { throw found(finding) }
                return step.text
            }
            isSound = isSound && isFine
            if !isSound, i < 2 { return }
        }
        guard isSound else { return }
        do { try await Trial(configuration, pool: pool).run(doctor) } catch { await doctor.step("trial") { throw error } }
    }
}

/// One row through everything.
private struct Trial {
    private let configuration: SnowflakeSinkConfiguration
    private let session: any Statements
    private let setup: TableSetup
    private let stages: Stages
    private let client: ServiceClient
    private let credential: Credential
    private let log = Logger("sluice.sink.snowflake")
    private let table: ObjectName
    private let connector = "sluice_doctor"

    /// For the texts of grants.
    private var grantee: String { "ROLE \(configuration.role.map(SnowflakeSinkConfiguration.stored) ?? "…")" }
    private func stageGrant(_ privileges: String = "READ, WRITE") -> String {
        "GRANT \(configuration.stagePrivileges(privileges)) ON STAGE \(stages.name(table).sql) TO \(grantee)"
    }
    private var schema: String { table.parts.dropLast().map(SQL.identifier).joined(separator: ".") }

    init(_ configuration: SnowflakeSinkConfiguration, pool: BlockingPool) throws {
        self.configuration = configuration
        let transport = HTTPTransport(proxy: configuration.proxy)
        client = ServiceClient(
            url: try configuration.accountURL, settings: .init(retries: min(configuration.requestRetries, 2)), transport: transport, pool: pool,
            onRetry: { _ in })
        credential = try configuration.credential(client)
        session = try configuration.statements(connector: "doctor", credential, client, log: log)
        setup = TableSetup(session, .init(role: configuration.role), log: log)
        stages = try Stages(
            configuration, connector: connector, session: session, setup: setup, transport: transport, pool: pool, log: log, onRetry: { _ in })
        let name = "SLUICE_DOCTOR_\(RequestID.make().prefix(8).uppercased())"
        table = ObjectName([session.settings.database, session.settings.schema, name])
    }

    func run(_ doctor: any Doctor) async throws {
        guard configuration.createTables else {
            await doctor.skip("trial", "snowflake.table.create is false: no table is made to load a row into")
            return await session.close()
        }
        let record = RecordBatch(
            topic: "sluice-doctor", count: 1, key: nil, value: Column(Schema.struct([.init("doctor", Schema(.string))]), [.struct(["a row"])]),
            timestamps: .constant(.integer(WallClock.milliseconds), RecordBatch.timestampSchema, count: 1))
        let partition = TopicPartition("sluice-doctor", 0)
        let consumed = ConsumedBatch(record, from: partition, offsets: .contiguous(from: 0), nextOffset: 1)
        var layout = configuration.rowLayout
        layout.payloadPath = []
        let rows = try layout.rows(consumed, now: WallClock.milliseconds)
        if await doctor.step("table", { try await make(rows, layout.layout) }) {
            if configuration.ingestionMethod == .streaming {
                await doctor.step("channel") { try await openChannel() }
            } else {
                try await stageAndLoad(doctor, rows, record, partition)
            }
        }
        await cleanUp()
    }

    private func make(_ rows: TableRows, _ layout: TableLayout) async throws -> String {
        _ = try await setup.types(of: table, taking: rows.columns, nullable: [], layout: layout)
        return "can be created"
    }

    private func openChannel() async throws -> String {
        let streaming = StreamingClient(client, credential, user: configuration.user)
        _ = try await streaming.open(.init(pipe: VendorNames.streamingPipe(table), channel: connector))
        return "can be opened"
    }

    private func stageAndLoad(_ doctor: any Doctor, _ rows: TableRows, _ record: RecordBatch, _ partition: TopicPartition) async throws {
        let isSnowpipe = configuration.ingestionMethod == .snowpipe
        let lane = Lane(partition: partition, table: table, directory: "\(connector)/\(table.name)", left: [], isSnowpipe: isSnowpipe)
        try lane.append(rows.values, rows.columns, from: 0, to: 0, record.timestamps, row: 0)
        let (file, body) = try lane.finish()
        let copy = CopyLoader(session: session, setup: setup, stage: { stages.reference($0) }, layout: configuration.layout, log: log)
        guard
            await doctor.step(
                "stage",
                {
                    let stage = try await stages.stage(table)
                    try await naming(stageGrant()) { try await stage.store(file.path, body) }
                    let listed = try await naming(stageGrant("READ")) { try await copy.list(file.directory, of: table) }
                    guard listed.contains(where: { $0.name == file.name }) else {
                        throw ConnectorError(
                            "snowflake.stage_elsewhere", .stop, "The file that was written is not on the stage \(stage.reference)",
                            hint: "Let snowflake.stage.url be the URL of the stage, as DESCRIBE STAGE shows it")
                    }
                    return "\(stage.reference) takes files"
                })
        else { return }
        let pipes = PipeClient(client: client, credential: credential)
        var pipe = PipeLoader(pipes: pipes, session: session, files: copy, connector: connector)
        pipe.patience = .seconds(60)
        let loader: any FileLoader = isSnowpipe ? pipe : copy
        await doctor.step(isSnowpipe ? "pipe" : "COPY") {
            try await naming(isSnowpipe ? "GRANT CREATE PIPE ON SCHEMA \(schema) TO \(grantee)" : stageGrant("READ")) {
                try await loader.load([file], into: table)
            }
            let count = try await session.query("SELECT COUNT(*) AS ROWS_THERE FROM \(table.sql)", "a count")
            guard count.rows == [["1"]] else { throw ConnectorError("doctor.finding", .stop, "The row is not in the table after it was loaded") }
            return "a row was loaded"
        }
        await doctor.step("removal") {
            try await naming(stageGrant()) { try await copy.remove([file], of: table) }
            return "files can be taken off the stage"
        }
    }

    /// What a refusal would be mended by, where Snowflake does not say.
    private func naming<T>(_ grant: String, _ body: () async throws -> T) async throws -> T {
        do { return try await body() } catch let error as ConnectorError where error.code == "snowflake.not_granted" || error.code == "snowflake.not_found" {
            throw ConnectorError(error.code, error.disposition, error.message, hint: grant)
        }
    }

    private func cleanUp() async {
        if configuration.ingestionMethod == .snowpipe {
            _ = try? await session.run("DROP PIPE IF EXISTS \(VendorNames.pipe(connector, table: table, partition: 0).sql)", "the removal of the trial's pipe")
        }
        if configuration.ingestionMethod != .streaming, stages.own == nil {
            _ = try? await session.run("DROP STAGE IF EXISTS \(stages.name(table).sql)", "the removal of the trial's stage")
        }
        _ = try? await session.run("DROP TABLE IF EXISTS \(table.sql)", "the removal of the trial's table")
        await session.close()
    }
}
