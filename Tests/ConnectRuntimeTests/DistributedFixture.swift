import ConnectAPI
import Foundation
import Kafka
import Synchronization
import TestSupport

@testable import ConnectRuntime

/// Every start and end of a task of `HoldSource`, in order, by the worker's directory.
final class Journal: Sendable {
    struct Entry: Sendable, Hashable {
        let worker: String
        let task: TaskID
        let isStart: Bool
    }
    private let all = Mutex<[Entry]>([])
    var entries: [Entry] { all.withLock { $0 } }
    func note(_ entry: Entry) { all.withLock { $0.append(entry) } }

    /// The workers that run each task now.
    var running: [TaskID: [String]] {
        var out: [TaskID: [String]] = [:]
        for entry in entries {
            if entry.isStart { out[entry.task, default: []].append(entry.worker) } else { out[entry.task]?.removeAll { $0 == entry.worker } }
        }
        return out.filter { !$0.value.isEmpty }
    }

    static let shared = Mutex<[String: Journal]>([:])
}

/// Tasks that do nothing but be there.
struct HoldSource: SourceConnector {
    struct Configuration: ConnectConfiguration {
        @Field("journal", doc: "Whose journal") var journal: String
        @Field("count", default: "1", doc: "How many tasks") var count: Int
        @Field("fail", default: "false", doc: "Whether tasks fail") var fails: Bool
        @Field("note", default: "", doc: "Anything") var note: String
    }
    static let info = ConnectorInfo(className: "test.HoldSourceConnector", aliases: ["Hold"], version: "1.2", documentation: "")
    let configuration: Configuration
    init(_ configuration: Configuration) throws { self.configuration = configuration }
    func taskConfigurations(maxTasks: Int) async throws -> [[String: String]] { (0..<min(configuration.count, maxTasks)).map { ["number": "\($0)"] } }
    func makeTask(_ config: [String: String], resumingAt: [SourcePosition], _ context: TaskContext) async throws -> sending HoldTask {
        if configuration.fails { throw ConnectorError("test.hold", .stop, "It fails as it was told to") }
        let worker = context.scratchDirectory.split(separator: "/").first { $0.hasPrefix("worker-") }.map(String.init) ?? "?"
        return HoldTask(
            journal: Journal.shared.withLock { $0[configuration.journal]! }, worker: worker, task: TaskID(context.connector, context.task))
    }
}

struct HoldTask: SourceTask {
    let journal: Journal
    let worker: String
    let task: TaskID
    mutating func run(_ output: any SourceOutput) async throws {
        journal.note(.init(worker: worker, task: task, isStart: true))
        defer { journal.note(.init(worker: worker, task: task, isStart: false)) }
        try await Task.sleep(for: .seconds(3600))
    }
}

/// A cluster's names, unique in a shared broker.
struct TestCluster {
    let bootstrapServers: String
    let name = "c" + UUID().uuidString.prefix(8).lowercased()
    let journal = Journal()
    let directory: String

    init(_ bootstrapServers: String, directory: String) {
        self.bootstrapServers = bootstrapServers
        self.directory = directory
        Journal.shared.withLock { $0[name] = journal }
    }

    var settings: [String: String] {
        [
            "bootstrap.servers": bootstrapServers, "group.id": name, "config.storage.topic": "\(name)-configs", "offset.storage.topic": "\(name)-offsets",
            "status.storage.topic": "\(name)-status", "config.storage.replication.factor": "1", "offset.storage.replication.factor": "1",
            "status.storage.replication.factor": "1", "offset.storage.partitions": "3", "session.timeout.ms": "6000", "heartbeat.interval.ms": "500",
            "task.shutdown.graceful.timeout.ms": "2000",
        ]
    }

    func hold(_ count: Int = 1, _ more: [String: String] = [:]) -> [ConfigEntry] {
        entries(["connector.class": "Hold", "journal": name, "count": String(count), "tasks.max": String(max(1, count))].merging(more) { $1 })
    }

    /// Runs worker `number` while the body runs, and shuts it down in order.
    func withWorker<T>(_ number: Int, _ more: [String: String] = [:], makingTopics: Bool = true, _ body: (DistributedHerder) async throws -> T) async throws
        -> T
    {
        let worker = try await start(number, more, makingTopics: makingTopics)
        do {
            let result = try await body(worker.herder)
            await worker.stop()
            return result
        } catch {
            await worker.stop()
            throw error
        }
    }

    struct Worker {
        let number: Int
        let herder: DistributedHerder
        let log: EmbeddedLog
        /// Where the topics are in Kafka.
        let topics: KafkaLog?
        let offsets: KafkaSourceOffsetStore
        let rest: RestServer
        let serving: Task<Void, Never>

        func stop() async {
            await herder.shutDown()
            await topics?.close()
            await offsets.close()
            rest.stop()
            await serving.value
            await log.close()
        }
    }

    /// With a world, topics are in Kafka, and there are its connectors.
    func start(_ number: Int, _ more: [String: String] = [:], makingTopics: Bool = true, world: World? = nil) async throws -> Worker {
        let path = "\(directory)/worker-\(number)"
        if let world { World.all.withLock { $0[path] = world } }
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let config = try WorkerConfig(file: settings.merging(more) { $1 })
        let log = try await EmbeddedLog.open(directory: path)
        var plugins = PluginRegistry()
        plugins.register(source: HoldSource.self)
        plugins.register(source: CountSource.self)
        let cluster = try await DistributedHerder.Cluster.connect(config, makingTopics: makingTopics)
        let clients = KafkaClients(worker: config.values)
        let topics =
            world == nil
            ? nil
            : KafkaLog(
                clients: clients, topics: KafkaTopicCreator(clients, isEnabled: true), offsets: cluster.offsets,
                exactlyOnce: try ExactlyOnceSupport(config) == .enabled ? cluster.topics.group : nil)
        let services = TaskServices(
            log: topics ?? log, worker: config, sourceBudget: ByteBudget(capacity: 1 << 20), scratchDirectory: path + "/scratch", transforms: { _ in { [$0] } },
            converter: { _, _, _ in DigitsConverter() })
        let herder = try DistributedHerder(
            plugins: plugins, services: services, cluster: cluster, metrics: MetricsRegistry(),
            info: WorkerInfo(version: "4.1.0", commit: "0", clusterID: "test", workerID: "worker-\(number):8083"))
        var options = try RestOptions(config)
        if more["listeners"] == nil { options.listeners = [Listener(.http, ListenAddress(host: "127.0.0.1", port: 0))] }
        options.forward = { try await herder.forward($0, to: $1) }
        let rest = try RestServer(herder, options)
        herder.advertise("127.0.0.1:\(rest.port)")
        let serving = Task { await rest.run() }
        try await herder.start()
        return Worker(number: number, herder: herder, log: log, topics: topics, offsets: cluster.offsets, rest: rest, serving: serving)
    }
}
