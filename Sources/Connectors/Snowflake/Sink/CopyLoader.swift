import ConnectAPI

/// Loads by COPY INTO in a session, with the warehouse of the session.
struct CopyLoader: FileLoader {
    let session: any Statements
    let setup: TableSetup
    let stage: @Sendable (ObjectName) -> String
    let layout: TableLayout
    let log: Logger

    var loadHistory: Int64 { 64 * 86_400_000 }

    func load(_ files: [StagedFile], into table: ObjectName) async throws {
        // Files of one directory and one shape share a statement.
        var groups: [(first: StagedFile, names: [String], rows: Int?)] = []
        for file in files {
            if let i = groups.lastIndex(where: { $0.first.directory == file.directory && $0.first.columns == file.columns }),
                groups[i].names.count < CopyStatement.maximumFiles
            {
                groups[i].names.append(file.name)
                groups[i].rows = groups[i].rows.flatMap { sum in file.rows.map { sum + $0 } }
            } else {
                groups.append((file, [file.name], file.rows))
            }
        }
        if files.contains(where: { $0.rows == nil }) { try await waitForEarlierCopies() }
        for group in groups {
            try Task.checkCancellation()
            let types = try await setup.types(of: table, taking: group.first.columns, nullable: [], layout: layout)
            let sql = CopyStatement.sql(
                table: table, columns: group.first.columns, types: types, stage: stage(table), directory: group.first.directory, files: group.names)
            let what = "COPY INTO \(table) of \(group.names.count) file\(group.names.count == 1 ? "" : "s") from \(group.first.path)"
            switch try await session.run(sql, what) {
            case .success(let answer): try check(answer, group.names.count, what)
            case .failure(let error):
                await setup.forget(table)
                throw error.connectorError(what)
            }
        }
    }

    /// A COPY that a killed run began goes on in Snowflake; a second one beside it might load the same file. Nothing is known where the history cannot be
    /// read, and then there is nothing to wait for.
    private func waitForEarlierCopies() async throws {
        let deadline = ContinuousClock.now + .seconds(session.settings.statementTimeout)
        let sql = """
            SELECT COUNT(*) AS RUNNING FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_USER(RESULT_LIMIT => 1000)) \
            WHERE QUERY_TAG = \(SQL.literal(session.settings.queryTag)) AND QUERY_TYPE = 'COPY' \
            AND EXECUTION_STATUS IN ('RUNNING', 'QUEUED', 'RESUMING_WAREHOUSE', 'BLOCKED') AND SESSION_ID <> CURRENT_SESSION()
            """
        var warned = false
        while ContinuousClock.now < deadline {
            guard case .success(let answer) = try await session.run(sql, "a look for COPY statements that still run"),
                let running = answer.values("running").first.flatMap({ $0 }).flatMap({ Int($0) }), running > 0
            else { return }
            if !warned { log.info("Waiting for \(running) COPY statements of an earlier run") }
            warned = true
            try await Task.sleep(for: .seconds(1))
        }
    }

    /// Every file must be loaded now or have been loaded before; one that was loaded before may have no row in the answer.
    private func check(_ answer: QueryAnswer, _ files: Int, _ what: String) throws {
        try answer.requireRows()
        for row in answer.named {
            guard let status = row["status"]?.uppercased() else { continue }
            // "Copy executed with 0 files processed." is the answer when all were loaded before.
            if ["LOADED", "LOAD_SKIPPED"].contains(status) || status.hasPrefix("COPY EXECUTED") { continue }
            let reason = row["first_error"].map { SnowflakeError.withoutValues($0) } ?? "no reason given"
            throw ConnectorError(
                "snowflake.not_loaded", .stop, "\(what) ended with status \(status) for \(row["file"] ?? "a file"): \(reason)",
                hint: "Alter the table's column, or let the connector read on behind the records of that file")
        }
    }

    func list(_ directory: String, of table: ObjectName) async throws -> [ListedFile] {
        let answer = try await session.query("LIST \(stage(table))/\(directory)/", "LIST of the stage \(stage(table))")
        try answer.requireRows()
        return answer.named.compactMap { row in
            guard let path = row["name"], let slash = path.lastIndex(of: "/"), path[..<slash].hasSuffix(directory) else { return nil }
            return ListedFile(
                name: String(path[path.index(after: slash)...]), size: row["size"].flatMap { Int($0) } ?? 0,
                modified: row["last_modified"].flatMap { StageDate.milliseconds($0) })
        }
    }

    func remove(_ files: [StagedFile], of table: ObjectName) async throws {
        for (directory, group) in Dictionary(grouping: files, by: \.directory) {
            // Names are digits, hyphens and dots; a dot of a pattern fits any character, and no other name differs there alone.
            let names = group.map(\.name).joined(separator: "|")
            _ = try await session.query("REMOVE \(stage(table))/\(directory)/ PATTERN='.*/(\(names))'", "REMOVE from the stage \(stage(table))")
        }
    }
}

/// Times as LIST tells them: `Thu, 26 Nov 2026 01:18:39 GMT`.
enum StageDate {
    static func milliseconds(_ text: String) -> Int64? {
        let parts = text.split { $0 == " " || $0 == "," || $0 == ":" }
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard parts.count == 8, let day = Int(parts[1]), let month = months.firstIndex(of: String(parts[2])), let year = Int64(parts[3]),
            let hour = Int64(parts[4]), let minute = Int64(parts[5]), let second = Int64(parts[6]), (1...31).contains(day), (1970...9999).contains(year),
            (0..<24).contains(hour), (0..<60).contains(minute), (0...60).contains(second)
        else { return nil }
        return (ISO8601.day(year: year, month: month + 1, day: day) * 86_400 + hour * 3600 + minute * 60 + second) * 1000
    }
}
