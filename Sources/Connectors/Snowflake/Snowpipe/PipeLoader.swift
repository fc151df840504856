import ConnectAPI

/// Loads by Snowpipe: a pipe a table and partition, as Snowflake's connector has them, so that its pipes and stages are taken over.
///
///     loadHistoryScan (files of an earlier run) ─▶ insertFiles ─▶ insertReport until every file is LOADED
///
/// Offsets wait for LOADED: a file that was only named to a pipe may still fail (Invariant 4).
struct PipeLoader: FileLoader {
    let pipes: PipeClient
    let session: any Statements
    let files: CopyLoader
    let connector: String
    let known = KnownPipes()
    /// Between two reports, at first and at most.
    var pause: ClosedRange<Duration> = .milliseconds(250) ... .seconds(5)
    /// Until files that no report tells of are named again.
    var patience: Duration = .seconds(600)

    actor KnownPipes {
        private var names: Set<ObjectName> = []
        func isNew(_ name: ObjectName) -> Bool { names.insert(name).inserted }
        func forget(_ name: ObjectName) { names.remove(name) }
    }

    var loadHistory: Int64 { 14 * 86_400_000 }

    func load(_ files: [StagedFile], into table: ObjectName) async throws {
        for (partition, group) in Dictionary(grouping: files, by: \.partition).sorted(by: { $0.key < $1.key }) {
            let pipe = VendorNames.pipe(connector, table: table, partition: partition.partition)
            try await create(pipe, table, group[0].columns)
            try await load(group, by: pipe)
        }
    }

    private func load(_ group: [StagedFile], by pipe: ObjectName) async throws {
        var waiting = Dictionary(group.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        if group.contains(where: { $0.rows == nil }) {
            try settle(try await pipes.history(pipe, since: WallClock.milliseconds - loadHistory), &waiting, pipe)
        }
        for start in stride(from: 0, to: waiting.count, by: 5000) {
            let part = waiting.values.sorted { $0.start < $1.start }.dropFirst(start).prefix(5000)
            try await pipes.insert(part.map { ($0.path, $0.size) }, into: pipe)
        }
        let named = WallClock.milliseconds, deadline = ContinuousClock.now + patience
        var mark: String?, wait = pause.lowerBound
        while !waiting.isEmpty {
            try await Task.sleep(for: wait)
            wait = min(wait * 2, pause.upperBound)
            let report = try await pipes.report(pipe, since: mark)
            mark = report.mark
            try settle(report.files, &waiting, pipe)
            guard ContinuousClock.now >= deadline, !waiting.isEmpty else { continue }
            // Reports reach back ten minutes only.
            try settle(try await pipes.history(pipe, since: named - 60_000), &waiting, pipe)
            guard waiting.isEmpty else {
                throw ConnectorError(
                    "snowflake.pipe_silent", .retry, "The pipe \(pipe) told nothing of \(waiting.count) files for \(patience); they are named again")
            }
        }
    }

    private func settle(_ statuses: [String: PipeClient.Status], _ waiting: inout [String: StagedFile], _ pipe: ObjectName) throws {
        for (path, status) in statuses {
            // A report may name a file with the stage's own path before it.
            guard let key = waiting[path] != nil ? path : waiting.keys.first(where: { path.hasSuffix("/\($0)") }) else { continue }
            switch status {
            case .loaded: waiting[key] = nil
            case .inProgress: break
            case .failed(let reason):
                throw ConnectorError(
                    "snowflake.not_loaded", .stop, "The pipe \(pipe) could not load \(key): \(reason)",
                    hint: "Alter the table's column, or let the connector read on behind the records of that file")
            }
        }
    }

    private func create(_ pipe: ObjectName, _ table: ObjectName, _ columns: [TableColumn]) async throws {
        guard await known.isNew(pipe) else { return }
        // RECORD_METADATA first, and the members' names: the pipe of Snowflake's connector.
        let members = ["RECORD_CONTENT": "$1:content", "RECORD_METADATA": "$1:meta"]
        let list = columns.filter { $0.name == "RECORD_METADATA" } + columns.filter { $0.name != "RECORD_METADATA" }
        let names = list.map(\.name).joined(separator: ", ")
        let values = list.map { members[$0.name] ?? "$1:\($0.name)\($0.content == .plain ? "::\($0.type)" : "")" }.joined(separator: ", ")
        let sql =
            "CREATE PIPE IF NOT EXISTS \(pipe.sql) AS COPY INTO \(table.sql) (\(names)) FROM (SELECT \(values) FROM \(files.stage(table)) t) FILE_FORMAT = (TYPE = 'JSON')"
        do { try await session.query(sql, "CREATE PIPE \(pipe)") } catch {
            await known.forget(pipe)
            throw error
        }
    }

    func list(_ directory: String, of table: ObjectName) async throws -> [ListedFile] { try await files.list(directory, of: table) }
    func remove(_ files: [StagedFile], of table: ObjectName) async throws { try await self.files.remove(files, of: table) }
}
