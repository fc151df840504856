import ConnectAPI
import Foundation
import Kafka
import TestSupport
import Testing

@testable import ConnectRuntime

/// A source, Kafka, a sink: the mock cluster in this process, and with `KAFKA_HOME` a real broker.
@Suite struct KafkaPipelineTests {
    private static let string = ["value.converter": "org.apache.kafka.connect.storage.StringConverter"]

    private func settings(_ servers: String) -> [String: String] { ["bootstrap.servers": servers].merging(Self.string) { $1 } }

    /// What a sink took at least once and in order.
    private func inOrder(_ values: [Int64], _ count: Int64) -> Bool {
        var next: Int64 = 0
        for value in values where value == next { next += 1 }
        return next == count && Set(values) == Set(0..<count)
    }

    @Test func recordsFlowThroughKafkaAcrossARestartAndAnOutage() async throws {
        let world = World(), mock = MockKafka()
        let topics = MockTopics(mock: mock)
        try await withWorker(world, settings(mock.bootstrapServers), topics: topics) { herder in
            _ = try await herder.create("source", entries(["connector.class": "Count", "until": "3000", "topic": "numbers"]), initialState: .started)
            _ = try await herder.create("sink", entries(["connector.class": "Collect", "topics": "numbers"]), initialState: .started)
            try await eventually { world.collected.count >= 500 }
            mock.setBroker(up: false)
            try await Task.sleep(for: .seconds(2))
            mock.setBroker(up: true)
            try await eventually { world.collected.count >= 1500 }
        }
        try await withWorker(world, settings(mock.bootstrapServers), topics: topics) { herder in
            try await eventually { Set(world.collected).count == 3000 }
            try await eventually { try await herder.status("sink").tasks.map(\.status.state) == [.running] }
            try await eventually { try await herder.status("source").tasks.map(\.status.state) == [.running] }
            #expect(try await herder.offsets("source").map(\.offset) == [["position": 3000]])
        }
        #expect(inOrder(world.collected, 3000))
    }

    /// `errors.tolerance` on a source's converters, as in Kafka Connect.
    @Test func recordsASourcesConverterRefusesFailTheTaskOrAreCounted() async throws {
        let world = World(), mock = MockKafka()
        let source = ["connector.class": "Count", "until": "50", "topic": "n"]
        let short = ["value.converter": "org.apache.kafka.connect.converters.ShortConverter"]
        try await withWorker(world, settings(mock.bootstrapServers).merging(short) { $1 }, topics: MockTopics(mock: mock)) { herder in
            _ = try await herder.create("strict", entries(source), initialState: .started)
            try await eventually { try await herder.status("strict").tasks.map(\.status.state) == [.failed] }
            let trace = try await herder.status("strict").tasks[0].status.trace ?? ""
            #expect(
                trace.contains("Tolerance exceeded in error handler") && trace.contains("VALUE_CONVERTER(org.apache.kafka.connect.converters.ShortConverter)"))
            #expect(try await herder.offsets("strict").isEmpty)
            _ = try await herder.create("loose", entries(source.merging(["errors.tolerance": "all"]) { $1 }), initialState: .started)
            try await eventually { try await herder.offsets("loose").map(\.offset) == [["position": 50]] }
            #expect(try await herder.status("loose").tasks.map(\.status.state) == [.running])
            #expect(await herder.metricsText().contains("kafka_connect_task_error_total_records_skipped{connector=\"loose\",task=\"0\"} 50"))
        }
    }

    @Test func aPausedSinkStaysInItsGroupAndGoesOn() async throws {
        let world = World(), mock = MockKafka()
        let more = ["consumer.max.poll.interval.ms": "7000", "consumer.session.timeout.ms": "6000"]
        try await withWorker(world, settings(mock.bootstrapServers).merging(more) { $1 }, topics: MockTopics(mock: mock)) { herder in
            _ = try await herder.create(
                "source", entries(["connector.class": "Count", "until": "3000", "topic": "n", "delay.ms": "10"]), initialState: .started)
            _ = try await herder.create("sink", entries(["connector.class": "Collect", "topics.regex": "n+"]), initialState: .started)
            try await eventually { world.collected.count >= 20 }
            try await herder.pause("sink")
            try await Task.sleep(for: .seconds(9))
            let paused = world.collected.count
            try await herder.resume("sink")
            try await eventually { world.collected.count >= 3000 }
            #expect(paused < 3000)
        }
        #expect(world.collected == Array(0..<3000), "still a member: nothing was read twice")
    }

    @Test(.enabled(if: KafkaBroker.isAvailable)) func partitionsMoveBetweenTasksAndWorkersWithoutLoss() async throws {
        try await withKafka { broker in
            let topic = "moves-\(UUID().uuidString)", first = World(), second = World(), sources = World()
            let names = ("sink-\(topic)", "source-\(topic)")
            let sink = ["connector.class": "Collect", "topics": topic, "tasks.max": "2"]
            try await withWorker(sources, settings(broker.bootstrapServers)) { source in
                _ = try await source.create(
                    names.1,
                    entries([
                        "connector.class": "Count", "until": "8000", "topic": topic, "delay.ms": "20", "topic.creation.default.partitions": "4",
                        "topic.creation.default.replication.factor": "1", "producer.override.sticky.partitioning.linger.ms": "0",
                    ]), initialState: .started)
                try await withWorker(first, settings(broker.bootstrapServers)) { one in
                    _ = try await one.create(names.0, entries(sink), initialState: .started)
                    try await eventually { first.collected.count >= 100 }
                    try await withWorker(second, settings(broker.bootstrapServers)) { two in
                        _ = try await two.create(names.0, entries(sink), initialState: .started)
                        try await eventually { second.collected.count >= 100 }
                    }
                    try await eventually { Set(first.collected + second.collected).count == 8000 }
                    #expect(try await one.status(names.0).tasks.map(\.status.state) == [.running, .running])
                    try await eventually {
                        try await one.offsets(names.0).reduce(0) { $0 + ($1.offset["kafka_offset"]?.integerValue ?? 0) } >= 8000
                    }
                }
            }
            // At least once: what a rebalance kept from being committed is taken again by the next member.
            #expect(first.collected.count + second.collected.count < 12_000)
        }
    }
}
