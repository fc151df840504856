import ConnectAPI
import Foundation
import Synchronization
import Testing

@testable import ConnectRuntime

/// What a test and its connectors share: the data directory outlives the workers started on it.
final class World: Sendable {
    let directory = NSTemporaryDirectory() + "sluice-runtime-\(UUID().uuidString)"
    private let values = Mutex<[Int64]>([])
    /// How many writes the sink still refuses.
    let refusals = Mutex(0)
    let mended = Mutex(false)
    let failures = Mutex(0)
    var collected: [Int64] { values.withLock { $0 } }
    func collect(_ new: [Int64]) { values.withLock { $0 += new } }
    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Connectors are made from strings, so they find their world by its directory.
    static let all = Mutex<[String: World]>([:])
}

func entries(_ config: [String: String]) -> [ConfigEntry] { config.sorted { $0.key < $1.key }.map { ConfigEntry($0.key, $0.value) } }

/// Runs a worker on the world's data directory, and shuts it down in order.
func withWorker(
    _ world: World, _ settings: [String: String] = [:], topics: (any TopicCreator)? = nil,
    converter: @escaping @Sendable (String, [String: String], Bool) throws -> any Converter = { _, _, _ in DigitsConverter() },
    _ body: (StandaloneHerder) async throws -> Void
) async throws {
    World.all.withLock { $0[world.directory] = world }
    try FileManager.default.createDirectory(atPath: world.directory, withIntermediateDirectories: true)
    let log = try await EmbeddedLog.open(directory: world.directory)
    var plugins = PluginRegistry()
    plugins.register(sink: CollectSink.self)
    plugins.register(source: CountSource.self)
    let config = try WorkerConfig(file: settings)
    let clients = KafkaClients(worker: config.values)
    let kafka =
        config.settings.bootstrapServers == nil
        ? nil : KafkaLog(clients: clients, topics: topics ?? KafkaTopicCreator(clients, isEnabled: true), offsets: LocalOffsetStore(log))
    let services = TaskServices(
        log: kafka ?? log, worker: config, sourceBudget: ByteBudget(capacity: Int(config.settings.sourceBuffer)),
        scratchDirectory: world.directory + "/scratch",
        transforms: { _ in { [$0] } }, converter: converter)
    let herder = try StandaloneHerder(
        plugins: plugins, services: services, store: log.store, metrics: MetricsRegistry(),
        info: WorkerInfo(version: "4.1.0", commit: "0", clusterID: log.clusterID, workerID: "test:8083"))
    do {
        try await herder.start()
        try await body(herder)
        await herder.shutDown()
        await kafka?.close()
        await log.close()
    } catch {
        await herder.shutDown()
        await kafka?.close()
        await log.close()
        throw error
    }
}

/// Waits for what must become true; a generous deadline makes a hang a failure.
func eventually(_ what: () async throws -> Bool, line: Int = #line) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < deadline {
        if (try? await what()) == true { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    Issue.record("line \(line): did not become true")
    throw CancellationError()
}

/// Integers as their digits.
struct DigitsConverter: Converter {
    func render(_ column: Column?, count: Int, nullSchemaRows: Bitmap?, topic: String) throws -> RenderedRows {
        var out = VarBytes()
        for row in 0..<count {
            switch column?[row] {
            case .bytes(let digits): out.append(digits)  // What Kafka holds is bytes already.
            case let value?: out.append(String(value.integerValue ?? 0).utf8)
            case nil: out.appendEmpty()
            }
        }
        return RenderedRows(values: out)
    }
    func parse(_ rows: RenderedRows, topic: String) throws -> Column {
        let values = (0..<rows.values.count).map { Int64(String(decoding: rows.values[$0], as: UTF8.self)) ?? -1 }
        return Column(Schema(.int64), count: values.count, .int64(values))
    }
}

/// Counts to a number, resuming where the log stands.
struct CountSource: SourceConnector {
    struct Configuration: ConnectConfiguration {
        @Field("topic", doc: "Where to") var topic: String
        @Field("until", doc: "Where to end") var until: Int64
        @Field("rows", default: "7", doc: "Rows a frame") var rows: Int
        @Field("fail.at", default: "-1", doc: "Where to fail") var failAt: Int64
        @Field("fail.times", default: "1", doc: "How often") var failTimes: Int
        @Field("fail.fatally", default: "false", doc: "For good") var fatal: Bool
        @Field("delay.ms", default: "0", doc: "Between frames") var delay: Int
        @Field("unit", doc: "Stage ten rows first") var unit: String?
    }
    static let info = ConnectorInfo(className: "test.CountSourceConnector", aliases: ["Count"], version: "1", documentation: "")
    static let unlistedOffsetKeys: Set<String> = ["note"]
    let configuration: Configuration
    init(_ configuration: Configuration) throws { self.configuration = configuration }
    func taskConfigurations(maxTasks: Int) async throws -> [[String: String]] { [[:]] }
    func makeTask(_ config: [String: String], resumingAt: [SourcePosition], _ context: TaskContext) async throws -> sending CountTask {
        let world = World.all.withLock { all in all.first { context.scratchDirectory.hasPrefix($0.key) }!.value }
        return CountTask(configuration: configuration, next: resumingAt.first?.offset["position"]?.integerValue ?? 0, world: world)
    }
}

struct CountTask: SourceTask {
    let configuration: CountSource.Configuration
    var next: Int64
    let world: World

    private func batch(_ values: [Int64]) -> RecordBatch {
        RecordBatch(
            topic: configuration.topic, count: values.count, key: nil, value: Column(Schema(.int64), count: values.count, .int64(values)),
            timestamps: .constant(.integer(WallClock.milliseconds), RecordBatch.timestampSchema, count: values.count))
    }

    private func position(_ at: Int64) -> SourcePosition { SourcePosition(partition: ["source": "count"], offset: ["position": .integer(at)]) }

    mutating func run(_ output: any SourceOutput) async throws {
        if let unit = configuration.unit, next == 0 {
            try await output.stage([batch(Array(100..<105))], in: unit)
            try await output.stage([batch(Array(105..<110))], in: unit)
            try await output.publish(unit, at: position(0))
        }
        while next < configuration.until {
            if next <= configuration.failAt, configuration.failAt < next + Int64(configuration.rows), !world.mended.withLock({ $0 }),
                configuration.fatal
                    || world.failures.withLock({
                        $0 += 1; return $0
                    }) <= configuration.failTimes
            {
                try await output.flush()
                throw ConnectorError(
                    "test.broken", configuration.fatal ? .stop : .retry, "The count broke at \(configuration.failAt)", hint: "Mend it",
                    underlying: ConnectorError("test.below", .stop, "the cause below"))
            }
            let end = min(next + Int64(configuration.rows), configuration.until)
            try await output.emit([batch(Array(next..<end))], at: position(end))
            next = end
            if configuration.delay > 0 { try await Task.sleep(for: .milliseconds(configuration.delay)) }
        }
        try await output.flush()
    }
}

/// Collects what it is given; the offsets it was given are durable at once.
struct CollectSink: SinkConnector {
    struct Configuration: ConnectConfiguration {
        @Field("reject", default: "-1", doc: "The value to refuse") var reject: Int64
    }
    static let info = ConnectorInfo(className: "test.CollectSinkConnector", aliases: ["Collect"], version: "1", documentation: "")
    let configuration: Configuration
    init(_ configuration: Configuration) throws { self.configuration = configuration }
    func makeTask(_ context: TaskContext) async throws -> sending CollectTask {
        let world = World.all.withLock { all in all.first { context.scratchDirectory.hasPrefix($0.key) }!.value }
        return CollectTask(world: world, reject: configuration.reject)
    }
}

struct CollectTask: SinkTask {
    let world: World
    let reject: Int64
    var reached: [TopicPartition: Int64] = [:]

    mutating func open(_ partitions: [TopicPartition]) async throws -> [TopicPartition: Int64] { [:] }
    mutating func write(_ batch: ConsumedBatch) async throws {
        if world.refusals.withLock({
            $0 > 0
                ? {
                    $0 -= 1; return true
                }(&$0) : false
        }) {
            throw ConnectorError("test.away", .retry, "The destination is away")
        }
        let values = (0..<batch.batch.count).map { batch.batch.value![$0].integerValue! }
        if values.contains(reject) { throw ConnectorError("test.seventeen", .reject, "Seventeen is not taken") }
        world.collect(values)
        reached[batch.partition] = batch.nextOffset
    }
    mutating func flush(_ reason: FlushReason) async throws -> [TopicPartition: Int64] {
        defer { reached = [:] }
        return reached
    }
    mutating func close(_ partitions: [TopicPartition]) async {}
}
