import ConnectAPI
import TestSupport
import Testing

@testable import ConnectRuntime

@Suite struct StoreTests {
    private func withStore(_ body: (any ConnectorStore) async throws -> Void) async throws {
        try await withEmbeddedLog { log, _ in try await body(log.store) }
    }

    @Test func aConfigurationComesBackInItsOrder() async throws {
        try await withTemporaryDirectory { directory in
            let config = [ConfigEntry("name", "c"), ConfigEntry("z", "1"), ConfigEntry("a", ""), ConfigEntry("ü", "日本")]
            let stored = StoredConnector(config: config, targetState: .paused, file: "c.json")
            let first = try await EmbeddedLog.open(directory: directory)
            try await first.store.put(StoredConnector(config: [], targetState: .started), name: "c")
            try await first.store.put(stored, name: "c")
            try await first.store.put(StoredConnector(config: config, targetState: .stopped), name: "d")
            await first.close()
            let second = try await EmbeddedLog.open(directory: directory)
            #expect(try await second.store.connectors() == ["c": stored, "d": StoredConnector(config: config, targetState: .stopped)])
            await second.close()
        }
    }

    @Test func statusesAreKeptByTask() async throws {
        try await withStore { store in
            try await store.putStatus(StoredStatus(.running), connector: "c", task: nil)
            for task in 0..<3 { try await store.putStatus(StoredStatus(.running), connector: "c", task: task) }
            try await store.putStatus(StoredStatus(.failed, trace: "why\n\tat"), connector: "c", task: 1)
            try await store.putStatus(StoredStatus(.paused), connector: "d", task: 0)
            try await store.removeTaskStatuses(of: "c", from: 2)
            #expect(
                try await store.statuses(of: "c") == [nil: StoredStatus(.running), 0: StoredStatus(.running), 1: StoredStatus(.failed, trace: "why\n\tat")])
            try await store.removeTaskStatuses(of: "c", from: 0)
            #expect(try await store.statuses(of: "c") == [nil: StoredStatus(.running)], "the connector's own stays")
        }
    }

    @Test func topicsAreKeptOnceInTheirOrder() async throws {
        try await withStore { store in
            for topic in ["b", "a", "b", "c"] { try await store.addTopic(topic, connector: "x") }
            try await store.addTopic("z", connector: "y")
            #expect(try await store.topics(of: "x") == ["b", "a", "c"])
            try await store.resetTopics(of: "x")
            #expect(try await store.topics(of: "x").isEmpty)
            #expect(try await store.topics(of: "y") == ["z"])
        }
    }

    @Test func removingAConnectorKeepsItsPositions() async throws {
        try await withEmbeddedLog { log, _ in
            try await log.append(Frame([], at: .at(3)), by: .named("c"))
            try await log.store.put(StoredConnector(config: [], targetState: .started), name: "c")
            try await log.store.putStatus(StoredStatus(.running), connector: "c", task: nil)
            try await log.store.addTopic("t", connector: "c")
            try await log.store.remove("c")
            #expect(try await log.store.connectors().isEmpty)
            #expect(try await log.store.statuses(of: "c").isEmpty)
            #expect(try await log.store.topics(of: "c").isEmpty)
            #expect(try await log.sourcePositions(of: "c") == [.at(3)])
        }
    }
}
