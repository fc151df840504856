public import ConnectAPI

/// Records drawn at random from a schema, as Confluent's Datagen connector makes them.
///
/// A record is a function of seed, task and iteration: the offset `{task.generation, current.iteration, random.seed}` is all that a restart needs
/// to go on with the records that would have come. Takes the configuration of `io.confluent.kafka.connect.datagen.DatagenConnector`.
public struct DatagenSource: SourceConnector {
    public typealias Configuration = DatagenConfiguration

    public static let info = ConnectorInfo(
        className: "io.confluent.kafka.connect.datagen.DatagenConnector", version: "0.6.6",
        documentation: "Records drawn at random from a schema, for trying things out.")

    private let configuration: DatagenConfiguration
    private let template: RecordTemplate

    public init(_ configuration: Configuration) throws {
        self.configuration = configuration
        do {
            template = try RecordTemplate(configuration)
        } catch {
            throw ConnectorError("datagen.bad_schema", .stop, error.description, hint: "Correct quickstart, schema.string or schema.filename")
        }
    }

    /// Every task makes `iterations` records of its own.
    public func taskConfigurations(maxTasks: Int) async throws -> [[String: String]] { (0..<max(1, maxTasks)).map { ["task.id": String($0)] } }

    public func makeTask(
        _ configuration: [String: String], resumingAt positions: [SourcePosition], _ context: TaskContext
    ) async throws -> sending DatagenTask {
        let id = configuration["task.id"].flatMap { Int64($0) } ?? 0
        return DatagenTask(self.configuration, template, id, positions.first { $0.partition["task.id"]?.integerValue == id }?.offset)
    }

    public static var managesOffsetChanges: Bool { true }

    public func validateOffsets(_ positions: [SourcePosition]) throws {
        for position in positions where !position.offset.entries.isEmpty {
            guard position.partition["task.id"]?.integerValue != nil, let iteration = position.offset["current.iteration"]?.integerValue, iteration >= 0 else {
                throw ConnectorError("datagen.bad_offset", .stop, "It must be {\"task.id\": number} and {\"current.iteration\": number}")
            }
        }
    }
}

/// Makes records until there are as many as asked for.
public struct DatagenTask: SourceTask {
    private let topic: String
    private let maxInterval: Int64
    private let iterations: Int64?
    private let template: RecordTemplate
    private let id: Int64
    private let generation: Int64
    private let seed: UInt64
    private var iteration: Int64

    private static let batchRows: Int64 = 1000

    init(_ configuration: DatagenConfiguration, _ template: RecordTemplate, _ id: Int64, _ offset: OffsetMap?) {
        topic = configuration.topic
        maxInterval = configuration.maxInterval
        iterations = configuration.iterations > 0 ? configuration.iterations : nil
        self.template = template
        self.id = id
        generation = (offset?["task.generation"]?.integerValue ?? -1) + 1
        iteration = offset?["current.iteration"]?.integerValue ?? 0
        let seed = configuration.seed ?? offset?["random.seed"]?.integerValue ?? Int64.random(in: 0...Int64.max)
        self.seed = UInt64(bitPattern: seed)
    }

    public mutating func run(_ output: any SourceOutput) async throws {
        var waits = SystemRandomNumberGenerator()
        while iterations.map({ iteration < $0 }) ?? true {
            if maxInterval > 0 { try await Task.sleep(for: .milliseconds(Int64.random(in: 0...maxInterval, using: &waits))) }
            let count = maxInterval > 0 ? 1 : min(Self.batchRows, (iterations ?? .max) - iteration)
            let batch = batch(iteration..<iteration + count)
            iteration += count
            try await output.emit([batch], at: position)
        }
    }

    private var position: SourcePosition {
        SourcePosition(
            partition: ["task.id": .integer(id)],
            offset: ["task.generation": .integer(generation), "current.iteration": .integer(iteration), "random.seed": .integer(Int64(bitPattern: seed))])
    }

    private func batch(_ iterations: Range<Int64>) -> RecordBatch {
        // Tasks draw from streams of their own.
        let value = template.generator.column(iterations, seed: seed &+ UInt64(id) &* 0xA076_1D64_78BD_642F), count = iterations.count
        let number = Schema(.int64)
        return RecordBatch(
            topic: topic, count: count, key: template.keyIndex.map { value.child(at: $0) }, value: value,
            timestamps: .constant(.integer(WallClock.milliseconds), RecordBatch.timestampSchema, count: count),
            headers: [
                HeaderColumn("task.generation", .constant(.integer(generation), number, count: count)),
                HeaderColumn("task.id", .constant(.integer(id), number, count: count)),
                HeaderColumn("current.iteration", Column(number, count: count, .int64(Array(iterations)))),
            ])
    }
}
