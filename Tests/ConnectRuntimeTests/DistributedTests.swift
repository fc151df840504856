import ConnectAPI
import Foundation
import Kafka
import TestSupport
import Testing

@testable import ConnectRuntime

/// One worker of a cluster on librdkafka's mock, which is what every CI has.
@Suite(.serialized) struct DistributedMockTests {
    private func withCluster(_ body: (TestCluster) async throws -> Void) async throws {
        let kafka = MockKafka()
        try await withTemporaryDirectory { directory in
            let cluster = TestCluster(kafka.bootstrapServers, directory: directory)
            for (topic, partitions) in [("configs", 1), ("offsets", 3), ("status", 5), ("sluice-slots", 16)] {
                kafka.createTopic("\(cluster.name)-\(topic)", partitions: partitions)
            }
            try await body(cluster)
        }
        withExtendedLifetime(kafka) {}
    }

    @Test func aConnectorRunsAndIsBroughtBackByTheNextWorker() async throws {
        try await withCluster { cluster in
            try await cluster.withWorker(1, makingTopics: false) { herder in
                let view = try await herder.create("c", cluster.hold(3, ["note": "ü"]), initialState: .started)
                #expect(view.config.contains(ConfigEntry("note", "ü")))
                try await eventually { cluster.journal.running.count == 3 }
                try await eventually { try await herder.status("c").tasks.map(\.status.state) == [.running, .running, .running] }
                try await eventually { try await herder.status("c").connector.status.state == .running }
                let status = try await herder.status("c")
                #expect(status.connector.workerID == herder.workerInfo().workerID)
                #expect(status.connector.version == "1.2")
                #expect(try await herder.tasks("c").map(\.config).map { $0.contains(ConfigEntry("task.class", "test.HoldSourceTask")) } == [true, true, true])
                try await herder.pause("c")
                try await eventually { try await herder.status("c").tasks.allSatisfy { $0.status.state == .paused } }
            }
            #expect(cluster.journal.running.isEmpty)
            try await cluster.withWorker(2, makingTopics: false) { herder in
                #expect(try await herder.info("c").tasks == [0, 1, 2])
                try await eventually { try await herder.status("c").tasks.allSatisfy { $0.status.state == .paused } }
                try await herder.resume("c")
                try await eventually { cluster.journal.running.count == 3 }
                try await herder.stop("c")
                try await eventually {
                    let status = try await herder.status("c")
                    return status.tasks.isEmpty && status.connector.status.state == .stopped
                }
                #expect(cluster.journal.running.isEmpty)
                try await herder.delete("c")
                try await eventually { (try? await herder.status("c")) == nil }
                #expect(await herder.connectors().isEmpty)
            }
        }
    }

    @Test func requestsAreAnsweredInKafkasWords() async throws {
        try await withCluster { cluster in
            try await cluster.withWorker(1, makingTopics: false) { herder in
                func refusal(_ body: () async throws -> Void) async -> String? {
                    do { try await body() } catch let error as HerderError { return "\(error.status) \(error.message)" } catch { return "\(error)" }
                    return nil
                }
                #expect(await refusal { _ = try await herder.info("x") } == "404 Connector x not found")
                #expect(await refusal { _ = try await herder.status("x") } == "404 No status found for connector x")
                #expect(await refusal { try await herder.delete("x") } == "404 Connector x not found")
                #expect(await refusal { try await herder.pause("x") } == "404 Unknown connector x")
                #expect(await refusal { try await herder.restartTask("x", 0) } == "404 Unknown connector: x")
                _ = try await herder.create("c", cluster.hold(), initialState: .stopped)
                #expect(await refusal { _ = try await herder.create("c", cluster.hold(), initialState: .started) } == "409 Connector c already exists")
                #expect(try await herder.status("c").connector.status.state == .stopped)
                #expect(await refusal { try await herder.restartTask("c", 0) } == "404 Unknown task: c-0")
                try await herder.resume("c")
                #expect(await refusal { _ = try await herder.resetOffsets("c") } == "400 \(ConnectorOffsets.mustBeStopped("c").message)")
                try await eventually { try await herder.taskStatus("c", 0).status.state == .running }
                try await herder.restartTask("c", 0)
                try await eventually { cluster.journal.entries.filter(\.isStart).count == 2 }
                // Only a change restarts.
                _ = try await herder.put("c", cluster.hold().reversed())
                _ = try await herder.patch("c", [(key: "note", value: "new")])
                try await eventually { cluster.journal.entries.filter(\.isStart).count == 3 }
            }
        }
    }

    @Test func aFailedTaskIsRestartedByRequestOnly() async throws {
        try await withCluster { cluster in
            try await cluster.withWorker(1, makingTopics: false) { herder in
                _ = try await herder.create("c", cluster.hold(2, ["fail": "true"]), initialState: .started)
                try await eventually { try await herder.status("c").tasks.map(\.status.state) == [.failed, .failed] }
                #expect(try await herder.taskStatus("c", 0).status.trace?.contains("It fails as it was told to") == true)
                let marked = try #require(try await herder.restart("c", includeTasks: true, onlyFailed: true))
                #expect(marked.tasks.map(\.status.state) == [.restarting, .restarting])
                #expect(marked.connector.status.state == .running)
                try await eventually { await herder.startups.taskAttempts == 4 }
                try await eventually { try await herder.status("c").tasks.map(\.status.state) == [.failed, .failed] }
            }
        }
    }

    @Test func slotsGrowWithTheTasks() async throws {
        try await withCluster { cluster in
            try await cluster.withWorker(1, makingTopics: false) { herder in
                _ = try await herder.create("a", cluster.hold(8), initialState: .started)
                _ = try await herder.create("b", cluster.hold(7), initialState: .started)
                try await eventually { cluster.journal.running.count == 15 }
                let slots = herder.store.config.read { $0.slotOwners }
                #expect(Set(slots.keys) == Set(1...15))
            }
        }
    }
}
