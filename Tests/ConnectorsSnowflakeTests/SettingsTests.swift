import ConnectAPI
import TestSupport
import Testing

@testable import ConnectorsSnowflake

/// What settings do to rows, files and the stage, on a server.
@Suite(.serialized) struct SettingsTests {
    private func oneRow(_ harness: SnowflakeHarness, _ select: String) async throws -> [String?] {
        try await harness.start()
        try await harness.write(SnowflakeHarness.batch(0..<1))
        harness.clock.advance(121_000)
        try await harness.commit(upTo: 1)
        await harness.crash()
        return try harness.server.sql("SELECT \(select) FROM D.S.\(harness.table)")[0]
    }

    @Test(arguments: ["topic", "offset.and.partition", "createtime"]) func aMemberOfTheMetadataIsLeftOut(flag: String) async throws {
        try await withSnowflake { server in
            let members = ["topic": ["topic"], "offset.and.partition": ["offset", "partition"], "createtime": ["CreateTime"]]
            let all = members.values.flatMap { $0 }.sorted()
            let row = try await oneRow(
                SnowflakeHarness(server, ["snowflake.metadata.\(flag)": "false"]),
                all.map { "RECORD_METADATA:\($0)::VARCHAR" }.joined(separator: ", ") + ", RECORD_METADATA:key::VARCHAR")
            let missing = zip(all, row).filter { $1 == nil }.map(\.0)
            #expect(missing == members[flag]?.sorted() && row.last == "k0")
        }
    }

    @Test func filesAreCutAtTheirSize() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server, ["buffer.count.records": "1000", "buffer.size.bytes": "100000"])
            try await harness.start()
            for i in 0..<4 as Range<Int64> { try await harness.write(SnowflakeHarness.batch(i..<i + 1, large: [i], bytes: 120_000)) }
            try await harness.commit(upTo: 4)
            #expect(try harness.ids() == Array(0..<4))
            #expect(harness.metrics["files_staged_total"] >= 2)
            await harness.crash()
        }
    }

    @Test func aStopLoadsWhatIsOpenWhereItIsWanted() async throws {
        try await withSnowflake { server in
            for (wanted, count) in [("true", 2), ("false", 0)] {
                let harness = SnowflakeHarness(server, ["flush.on.stop": wanted])
                try await harness.start()
                try await harness.write(SnowflakeHarness.batch(0..<2))
                try await harness.tick(.closing)
                #expect(harness.committed[SnowflakeHarness.partition] == (wanted == "true" ? 2 : nil))
                await harness.crash()
                #expect(try server.rowsIfThere(harness.table) == count)
            }
        }
    }

    @Test func aTableThatMayNotBeMadeIsAskedFor() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server, ["snowflake.table.create": "false"])
            try await harness.start()
            let error = await #expect(throws: ConnectorError.self) { try await harness.write(SnowflakeHarness.batch(0..<1)) }
            #expect(error?.code == "snowflake.table_missing" && error?.hint?.contains("GRANT SELECT, INSERT ON TABLE \"D\".\"S\".\"\(harness.table)\"") == true)
            #expect(await harness.check().map(\.key) == ["snowflake.topic2table.map"])
            await harness.crash()
        }
    }

    /// Files that stay are loaded once and are nobody's business afterwards, after a day and after a hundred.
    @Test(arguments: [1, 100]) func filesMayStayOnTheStage(days: Int64) async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server, ["snowflake.stage.remove.files": "false"])
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<6))
            try await harness.commit(upTo: 6)
            await harness.crash()
            #expect(try harness.staged().count == 2)
            harness.clock.advance(days * 86_400_000)
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(6..<9))
            try await harness.commit(upTo: 9)
            #expect(try harness.ids() == Array(0..<9) && harness.staged().count == 3)
            let copies = (try server.state()["statements"] as? [String] ?? []).filter { $0.hasPrefix("COPY INTO") && $0.contains(harness.table) }
            #expect(copies.filter { $0.contains("'0-2-") }.count == 1)
            await harness.crash()
        }
    }

    /// Files that stay are on the stage without being loaded, and the log has dropped their records: they are loaded all the same.
    @Test func aFileThatWasNeverLoadedIsLoadedThoughItsRecordsAreGone() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server, ["snowflake.stage.remove.files": "false", "snowflake.copy.interval.seconds": "3600"])
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<3))
            while try harness.staged().isEmpty { try await harness.tick(commits: false) }
            await harness.crash()
            harness.settings["snowflake.copy.interval.seconds"] = "0"
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(6..<9))
            try await harness.commit(upTo: 9)
            #expect(try harness.ids() == [0, 1, 2, 6, 7, 8])
            await harness.crash()
        }
    }

    /// A file that was staged and not seen committed, when Snowflake no longer remembers whether it loaded it: with records of the file, and with later ones.
    @Test func aFileTheLoadHistoryForgotIsNotGuessedAbout() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(server)
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<3))
            while try server.rowsIfThere(harness.table) < 3 { try await harness.tick(commits: false) }
            await harness.crash()
            harness.clock.advance(65 * 86_400_000)
            try await harness.start()
            let error = await #expect(throws: ConnectorError.self) { try await harness.write(SnowflakeHarness.batch(0..<3)) }
            #expect(error?.code == "snowflake.load_history_ended" && error?.message.contains("0-2-") == true && error?.message.contains("64 days") == true)
            await harness.crash()
            // The log has dropped its records: that later ones come says nothing of it.
            try await harness.start()
            let behind = await #expect(throws: ConnectorError.self) { try await harness.write(SnowflakeHarness.batch(3..<6)) }
            #expect(behind?.code == "snowflake.load_history_ended")
            await harness.crash()
            // Its offsets were committed after all, by hand for instance.
            harness.committed = [SnowflakeHarness.partition: 3]
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(3..<6))
            try await harness.commit(upTo: 6)
            #expect(try harness.ids() == Array(0..<6))
            await harness.crash()
        }
    }

    @Test func oauthAsksTheEndpointAsItIsTold() async throws {
        try await withSnowflake { server in
            let harness = SnowflakeHarness(
                server,
                [
                    "snowflake.authenticator": "oauth", "snowflake.password": "", "snowflake.oauth.client.id": "client",
                    "snowflake.oauth.client.secret": "hush",
                    "snowflake.oauth.scope": "session:role:loader", "snowflake.oauth.token.endpoint": server.url + "/oauth/token-request",
                ])
            #expect(await harness.check().isEmpty)
            harness.settings["snowflake.oauth.include.scope"] = "false"
            #expect(await harness.check().isEmpty)
            let forms = (try server.state()["forms"] as? [[String: String]] ?? []).suffix(2).map { $0 }
            #expect(forms == [["grant_type": "client_credentials", "scope": "session%3Arole%3Aloader"], ["grant_type": "client_credentials"]])
        }
    }

    @Test func rowsWaitForTheirRequestToFill() async throws {
        let key = try TestKey()
        defer { key.remove() }
        try await withSnowflake { server in
            try server.control("user", ["name": "LAGGARD", "key": try key.text("public")])
            let harness = SnowflakeHarness(
                server,
                [
                    "snowflake.ingestion.method": "SNOWPIPE_STREAMING", "snowflake.user.name": "laggard", "snowflake.private.key": try key.text("plain"),
                    "snowflake.password": "", "snowflake.streaming.max.client.lag": "30",
                ])
            try await harness.start()
            try await harness.write(SnowflakeHarness.batch(0..<3))
            harness.clock.advance(29_000)
            try await harness.tick()
            #expect(harness.metrics["rows_streamed_total"] == 0)
            harness.clock.advance(1_000)
            try await harness.tick()
            #expect(harness.metrics["rows_streamed_total"] == 3)
            await harness.crash()
        }
    }
}
