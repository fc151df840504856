import ConnectAPI
import Foundation
import Kafka
import TestSupport
import Testing

@testable import ConnectRuntime

/// The implementations the laws of `Log` hold for. A real broker takes part where `KAFKA_HOME` names a distribution.
enum LogImplementation: String, CaseIterable, CustomTestStringConvertible {
    case embedded, mockKafka, kafka

    static var allCases: [LogImplementation] { [.embedded, .mockKafka] + (KafkaBroker.isAvailable ? [.kafka] : []) }
    /// Those that hold columns. In Kafka a record is bytes, and who rendered them is not written there.
    static var columnar: [LogImplementation] { [.embedded] }
    /// Those that keep a snapshot unit out of sight until it is published.
    static var staging: [LogImplementation] { [.embedded] }
    /// Those whose groups can be altered: the mock answers no such request.
    static var altering: [LogImplementation] { allCases.filter { $0 != .mockKafka } }

    var testDescription: String { rawValue }

    /// Opens an empty log for the time of `body`.
    func withLog<R>(_ body: (any Log) async throws -> R) async throws -> R {
        switch self {
        case .embedded: try await withEmbeddedLog { log, _ in try await body(log) }
        case .mockKafka: try await withMockKafkaLog { log, _ in try await body(ScopedLog(log, scope: "law-")) }
        case .kafka:
            try await withKafka { broker in
                try await withKafkaLog(broker.bootstrapServers) { try await body(ScopedLog($0, scope: "law-\(UUID().uuidString)-")) }
            }
        }
    }
}

func withEmbeddedLog<R>(_ options: EmbeddedLog.Options = .init(), _ body: (EmbeddedLog, String) async throws -> R) async throws -> R {
    try await withTemporaryDirectory { directory in
        let log = try await EmbeddedLog.open(directory: directory, options: options)
        do {
            let result = try await body(log, directory)
            await log.close()
            return result
        } catch {
            await log.close()
            throw error
        }
    }
}

extension Producer {
    static func named(_ connector: String, task: Int = 0) -> Producer {
        Producer(
            connector: connector, task: task,
            rendering: Rendering(
                key: .init("org.apache.kafka.connect.json.JsonConverter", ["schemas.enable": "false"]),
                value: .init("org.apache.kafka.connect.json.JsonConverter", ["schemas.enable": "true"]),
                header: .init("org.apache.kafka.connect.storage.SimpleHeaderConverter")))
    }
}

extension RecordBatch {
    static let numberSchema = Schema.struct([.init("n", Schema(.int64)), .init("text", Schema(.string))], name: "test.Number")

    /// Records of these numbers; `padding` bytes of text each.
    static func numbers(_ numbers: some Sequence<Int64>, topic: String = "t", padding: Int = 0) -> RecordBatch {
        let numbers = Array(numbers), text = String(repeating: "x", count: padding)
        let value = Column(numberSchema, numbers.map { .struct([.integer($0), .string(text)]) })
        return RecordBatch(
            topic: topic, count: numbers.count, key: Column(Schema(.int64), numbers.map { .integer($0) }), value: value,
            timestamps: .constant(.integer(1_700_000_000_000), RecordBatch.timestampSchema, count: numbers.count))
    }

    var numbers: [Int64] { (0..<count).map { value!.child("n")![$0].integerValue! } }
}

extension SourcePosition {
    static func at(_ n: Int64, server: String = "s") -> SourcePosition {
        SourcePosition(partition: ["server": .string(server)], offset: ["n": .integer(n)])
    }
    var n: Int64? { offset["n"]?.integerValue }
}

extension ReadableLog {
    /// All batches of a partition from an offset on.
    func batches(_ topic: String = "t", from offset: Int64 = 0, maxBytes: Int = 1 << 20) async throws -> [StoredBatch] {
        var found: [StoredBatch] = [], next = offset
        while true {
            let batches = try await read(TopicPartition(topic, 0), from: next, maxBytes: maxBytes)
            guard let last = batches.last else { return found }
            found += batches
            next = last.endOffset
        }
    }

    /// The numbers of a topic; fails where offsets have a gap.
    func numbers(_ topic: String = "t", from offset: Int64 = 0, maxBytes: Int = 1 << 20) async throws -> [Int64] {
        let found = try await batches(topic, from: offset, maxBytes: maxBytes)
        for (a, b) in zip(found, found.dropFirst()) { #expect(a.endOffset == b.firstOffset) }
        return found.flatMap(\.batch.numbers)
    }
}

/// Looks again until it holds; what the log does behind its answers has no event to wait for.
func holdsInTime(_ condition: () async throws -> Bool) async throws -> Bool {
    for _ in 0..<1000 {
        if try await condition() { return true }
        try await Task.sleep(for: .milliseconds(10))
    }
    return false
}
