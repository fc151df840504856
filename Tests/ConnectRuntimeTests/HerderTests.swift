import ConnectAPI
import Testing

@testable import ConnectRuntime

/// The control plane's codes and texts, as recorded from Kafka Connect.
@Suite struct HerderTests {
    private let count = entries(["connector.class": "Count", "until": "10", "topic": "n"])

    private func refusal(_ body: () async throws -> Void) async -> (Int, String)? {
        do {
            try await body()
            return nil
        } catch let error as HerderError {
            return (error.status, error.message)
        } catch {
            return (0, "\(error)")
        }
    }

    @Test func unknownConnectorsAreAnsweredInKafkasWords() async throws {
        try await withWorker(World()) { herder in
            #expect(await refusal { _ = try await herder.info("x") }! == (404, "Connector x not found"))
            #expect(await refusal { _ = try await herder.tasks("x") }! == (404, "Connector x not found"))
            #expect(await refusal { _ = try await herder.status("x") }! == (404, "No status found for connector x"))
            #expect(await refusal { _ = try await herder.taskStatus("x", 7) }! == (404, "No status found for task x-7"))
            #expect(await refusal { try await herder.delete("x") }! == (404, "Connector x not found"))
            #expect(await refusal { try await herder.pause("x") }! == (404, "Unknown connector x"))
            #expect(await refusal { try await herder.stop("x") }! == (404, "Unknown connector x"))
            #expect(await refusal { _ = try await herder.restart("x", includeTasks: true, onlyFailed: false) }! == (404, "Unknown connector: x"))
            #expect(await refusal { _ = try await herder.resetOffsets("x") }! == (404, "Connector x not found"))
            let topics = try await herder.topics("x")
            #expect(topics.isEmpty)
        }
    }

    @Test func aConnectorIsCreatedOnceAndAnsweredAsItWasWritten() async throws {
        try await withWorker(World()) { herder in
            let view = try await herder.create("c", count, initialState: .started)
            #expect(view.config.map(\.key) == ["connector.class", "topic", "until", "name"])
            #expect(view.tasks.isEmpty)
            #expect(view.type == .source)
            #expect(await refusal { _ = try await herder.create("c", count, initialState: .started) }! == (409, "Connector c already exists"))
            #expect(
                await refusal { _ = try await herder.create("d", count + [ConfigEntry("name", "e")], initialState: .started) }!
                    == (400, "Connector name configuration (e) doesn't match connector name in the URL (d)"))
            try await eventually { try await herder.info("c").tasks == [0] }
            #expect(await refusal { try await herder.restartTask("c", 9) }! == (404, "Unknown task: c-9"))
        }
    }

    @Test func invalidConfigurationsCarryEveryErrorInTheWrapper() async throws {
        try await withWorker(World()) { herder in
            let refused = await refusal { _ = try await herder.create("c", entries(["connector.class": "Count", "tasks.max": "0"]), initialState: .started) }!
            #expect(refused.0 == 400)
            #expect(refused.1.hasPrefix("Connector configuration is invalid and contains the following 3 error(s):\n"))
            #expect(refused.1.contains("Invalid value 0 for configuration tasks.max: Value must be at least 1"))
            #expect(refused.1.hasSuffix("\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`"))
            #expect(await herder.connectors().isEmpty)
        }
    }

    @Test func aPutRestartsOnlyWhenSomethingChanged() async throws {
        try await withWorker(World()) { herder in
            #expect(try await herder.put("c", count).created)
            try await eventually { try await herder.taskStatus("c", 0).status.state == .running }
            let before = await herder.nextRun
            #expect(try await herder.put("c", count.reversed()).created == false)
            try await Task.sleep(for: .milliseconds(50))
            #expect(await herder.nextRun == before)
            let patched = try await herder.patch("c", [(key: "rows", value: "3"), (key: "nothing", value: nil)])
            #expect(patched.config.contains(ConfigEntry("rows", "3")))
            try await eventually { await herder.nextRun == before + 1 }
            #expect(try await herder.patch("c", [(key: "rows", value: nil)]).config.allSatisfy { $0.key != "rows" })
        }
    }

    @Test func stoppedAndPausedConnectorsHaveNoTasksUntilResumed() async throws {
        try await withWorker(World()) { herder in
            _ = try await herder.create("stopped", count, initialState: .stopped)
            _ = try await herder.create("paused", count, initialState: .paused)
            #expect(try await herder.status("stopped").connector.status.state == .stopped)
            #expect(try await herder.status("paused").connector.status.state == .paused)
            for name in ["stopped", "paused"] {
                #expect(try await herder.tasks(name).isEmpty)
                try await herder.resume(name)
                try await eventually { try await herder.status(name).tasks.map(\.status.state) == [.running] }
                #expect(try await herder.status(name).connector.status.state == .running)
            }
            try await herder.stop("stopped")
            try await herder.pause("stopped")
            try await eventually { try await herder.status("stopped").connector.status.state == .paused }
            #expect(try await herder.status("stopped").tasks.isEmpty)
        }
    }

    @Test func sinkOffsetsAreChangedOnlyWhileStoppedAndInKafkasShape() async throws {
        let world = World()
        try await withWorker(world) { herder in
            _ = try await herder.create("s", count, initialState: .started)
            _ = try await herder.create("k", entries(["connector.class": "Collect", "topics": "n"]), initialState: .started)
            try await eventually { world.collected.count == 10 }
            let position = SourcePosition(partition: ["kafka_topic": "n", "kafka_partition": 0], offset: ["kafka_offset": 4])
            let early = await refusal { _ = try await herder.alterOffsets("k", [position]) }!
            #expect(early.0 == 400)
            #expect(early.1.hasPrefix("Connectors must be in the STOPPED state before their offsets can be modified."))
            try await herder.stop("k")
            #expect(
                await refusal { _ = try await herder.alterOffsets("k", []) }! == (400, "Partitions / offsets need to be provided for an alter offsets request"))
            for (partition, offset, text) in [
                (["topic": "n"], ["kafka_offset": 4], "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'"),
                ([:], ["kafka_offset": 4], "The partition for a sink connector offset cannot be null or missing"),
                (["kafka_topic": nil, "kafka_partition": 0], ["kafka_offset": 4], "Kafka topic names must be valid strings and may not be null"),
                (
                    ["kafka_topic": "n", "kafka_partition": "x"], ["kafka_offset": 4],
                    "Failed to parse the following Kafka partition value in the provided offsets: 'x'. Partition values for sink connectors need to be integers."
                ),
                (
                    ["kafka_topic": "n", "kafka_partition": 0], ["o": 4],
                    "The offset for a sink connector should either be null or contain the key 'kafka_offset'"
                ),
                (
                    ["kafka_topic": "n", "kafka_partition": "0"], ["kafka_offset": "zz"],
                    "Failed to parse the following Kafka offset value in the provided offsets: 'zz'. Offset values for sink connectors need to be integers."
                ),
            ] as [(OffsetMap, OffsetMap, String)] {
                #expect(await refusal { _ = try await herder.alterOffsets("k", [SourcePosition(partition: partition, offset: offset)]) }! == (400, text))
            }
            #expect(
                try await herder.alterOffsets("k", [position]).hasPrefix(
                    "The Connect framework-managed offsets for this connector have been altered successfully."))
            #expect(try await herder.offsets("k").map(\.offset) == [["kafka_offset": 4]])
            try await herder.resume("k")
            try await eventually { world.collected.count == 16 }
            #expect(world.collected.suffix(6) == [4, 5, 6, 7, 8, 9])
        }
    }

    @Test func whatAConnectorNotesForItselfIsKeptAndNotListed() async throws {
        let world = World()
        try await withWorker(world) { herder in
            _ = try await herder.create("c", entries(["connector.class": "Count", "topic": "n", "until": "10", "name": "c"]), initialState: .stopped)
            try await eventually { try await herder.status("c").connector.status.state == .stopped }
            let position = SourcePosition(partition: ["source": "count"], offset: ["position": 3, "note": "mine"])
            _ = try await herder.alterOffsets("c", [position])
            #expect(try await herder.offsets("c") == [SourcePosition(partition: ["source": "count"], offset: ["position": 3])])
            #expect(try await herder.log.sourcePositions(of: "c") == [position])
        }
    }

    @Test func secretsAreUsedAndNeverShown() async throws {
        let world = World()
        try await withWorker(world) { herder in
            _ = herder
        }
        try Secrets.write("topic=hush\nuntil=many\n", world.directory + "/s.properties")
        try await withWorker(world) { herder in
            let config = entries(["connector.class": "Count", "until": "5", "topic": "${file:\(world.directory)/s.properties:topic}"])
            _ = try await herder.create("c", config, initialState: .started)
            try await eventually { try await herder.log.topics()["hush"]?.first?.end == 5 }
            #expect(try await herder.info("c").config.contains(ConfigEntry("topic", "${file:\(world.directory)/s.properties:topic}")))
            #expect(try await herder.tasks("c")[0].config.contains(ConfigEntry("topic", "${file:\(world.directory)/s.properties:topic}")))
            let reference = "${file:\(world.directory)/s.properties:until}"
            let infos = try await herder.validate(entries(["name": "d", "connector.class": "Count", "until": reference, "topic": "t"]), plugin: nil)
            let until = try #require(infos.entries.first { $0.name == "until" })
            #expect(until.errors.isEmpty == false)
            #expect(until.errors.allSatisfy { !$0.contains("many") && $0.contains(reference) })
        }
    }

    @Test func metricsBearTheNamesDashboardsUse() async throws {
        let world = World()
        try await withWorker(world) { herder in
            _ = try await herder.create("s", count, initialState: .started)
            _ = try await herder.create("k \"quoted\"", entries(["connector.class": "Collect", "topics": "n"]), initialState: .started)
            try await eventually { world.collected.count == 10 }
            let text = await herder.metricsText()
            for line in [
                "kafka_connect_connector_status{connector=\"s\",status=\"running\"} 1", "kafka_connect_worker_connector_count 2",
                "kafka_connect_source_task_source_record_write_total{connector=\"s\",task=\"0\"} 10",
                "kafka_connect_sink_task_sink_record_send_total{connector=\"k \\\"quoted\\\"\",task=\"0\"} 10",
                "kafka_connect_worker_connector_failed_task_count{connector=\"s\"} 0", "# TYPE kafka_connect_source_task_source_record_write_total counter",
            ] { #expect(text.contains(line), "\(line)") }
            // The format: every sample's family was declared once.
            let declared = text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }.map { $0.split(separator: " ")[2] }
            #expect(Set(declared).count == declared.count)
            try await herder.delete("s")
            #expect(await herder.metricsText().contains("connector=\"s\"") == false)
        }
    }
}
