import ConnectAPI
import Testing

@testable import ConnectRuntime

/// Records go to the partition their batch names.
@Suite struct LogPlacementTests {
    private static func placed(_ numbers: Range<Int64>, _ partition: Int32?) -> RecordBatch {
        var batch = RecordBatch.numbers(numbers)
        batch.partition = partition
        return batch
    }

    private static func numbers(_ log: any Log, _ partition: Int32) async throws -> [Int64] {
        var out: [Int64] = []
        while true {
            let read = try await log.read(TopicPartition("t", partition), from: Int64(out.count), maxBytes: .max)
            if read.isEmpty { return out }
            out += read.flatMap { $0.batch.numbers }
        }
    }

    @Test func batchesLandInThePartitionTheyName() async throws {
        try await withEmbeddedLog { log, _ in
            try await log.append(Frame([Self.placed(0..<2, 2), Self.placed(2..<5, nil), Self.placed(5..<6, 2)], at: nil), by: .named("c"))
            try await log.stage([Self.placed(6..<8, 1), Self.placed(8..<9, nil)], unit: "u", by: .named("c"))
            try await log.publish(unit: "u", at: .at(1), by: .named("c"))
            #expect(try await log.topics()["t"]?.map { [$0.partition, Int32($0.end)] } == [[0, 4], [1, 2], [2, 3]])
            #expect(try await Self.numbers(log, 0) == [2, 3, 4, 8])
            #expect(try await Self.numbers(log, 1) == [6, 7])
            #expect(try await Self.numbers(log, 2) == [0, 1, 5])
        }
    }

    @Test func batchesOfDifferentPartitionsAreNotJoined() {
        let joined = RecordBatch.joining([Self.placed(0..<1, 1), Self.placed(1..<2, nil), Self.placed(2..<3, 1), Self.placed(3..<4, nil)])
        #expect(joined.map(\.partition) == [1, nil] && joined.map(\.numbers) == [[0, 2], [1, 3]])
        #expect(Self.placed(0..<4, 3).slice(1..<2).partition == 3 && Self.placed(0..<4, 3).select([2]).partition == 3)
    }
}
