import ConnectAPI
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import ConnectRuntime
@testable import ConnectorsFileStream

@Suite struct FileStreamTests {
    /// Takes frames as a log would.
    private final class Output: SourceOutput {
        let frames = Mutex<[(lines: [String], position: Int64?)]>([])
        func emit(_ batches: [RecordBatch], at position: SourcePosition?) async throws -> FrameNumber {
            let lines = batches.flatMap { batch in (0..<batch.count).map { batch.value![$0].stringValue! } }
            return frames.withLock {
                $0.append((lines, position?.offset["position"]?.integerValue))
                return FrameNumber($0.count)
            }
        }
        var durable: FrameNumber { frames.withLock { FrameNumber($0.count) } }
        func flush() async throws {}
        func stage(_ batches: [RecordBatch], in unit: String) async throws {}
        func publish(_ unit: String, at position: SourcePosition) async throws {}
        func discard(_ unit: String) async throws {}
        var lines: [String] { frames.withLock { $0.flatMap(\.lines) } }
        var position: Int64? { frames.withLock { $0.last?.position } }
    }
    private struct Silence: MetricSink {
        func set(_ name: String, _ labels: [String: String], _ value: Double) {}
        func add(_ name: String, _ labels: [String: String], _ value: Double) {}
        func observe(_ name: String, _ labels: [String: String], _ seconds: Double) {}
    }
    private static let context = TaskContext(
        connector: "fs", task: 0, log: Logger("test"), metrics: Silence(), memoryBudget: 1 << 20, scratchDirectory: "/tmp", reject: { _ in })

    private func temporaryFile(_ text: String = "") throws -> String {
        let path = NSTemporaryDirectory() + "filestream-\(UUID().uuidString)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    /// Runs a source task until the output has what is asked for.
    private func run(_ config: [String: String], from positions: [SourcePosition] = [], until done: @escaping @Sendable (Output) async throws -> Bool)
        async throws -> Output
    {
        let output = Output(), source = try FileStreamSource(FileStreamSource.Configuration(config))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                var task = try await source.makeTask([:], resumingAt: positions, Self.context)
                do { try await task.run(output) } catch is CancellationError {}
            }
            group.addTask {
                for _ in 0..<500 where try await !done(output) { try await Task.sleep(for: .milliseconds(20)) }
            }
            try await group.next()
            group.cancelAll()
            try await group.waitForAll()
        }
        return output
    }

    @Test func readsLinesAndCountsBytes() async throws {
        let path = try temporaryFile((0..<10).map { "line \($0)\n" }.joined())
        let output = try await run(["file": path, "topic": "t", "batch.size": "4"]) { $0.lines.count >= 10 }
        #expect(output.lines == (0..<10).map { "line \($0)" })
        #expect(output.frames.withLock { $0.map { $0.lines.count } } == [4, 4, 2])
        #expect(output.position == 70)
    }

    @Test func resumesAfterTheLastLineTheLogHas() async throws {
        let path = try temporaryFile("é1\nline 2\nline 3\n")
        let resume = [SourcePosition(partition: ["filename": .string(path)], offset: ["position": 4])]
        let output = try await run(["file": path, "topic": "t"], from: resume) { $0.lines.count >= 2 }
        #expect(output.lines == ["line 2", "line 3"] && output.position == 18)
    }

    @Test func followsAGrowingFileAndWaitsForTheEndOfALine() async throws {
        let path = try temporaryFile("one\ntw")
        let grown = Mutex(false)
        let output = try await run(["file": path, "topic": "t"]) { output in
            if output.lines == ["one"],
                grown.withLock({
                    let was = $0; $0 = true; return !was
                })
            {
                let handle = FileHandle(forWritingAtPath: path)!
                handle.seekToEndOfFile()
                handle.write(Data("o\nthree\n".utf8))
            }
            return output.lines.count >= 3
        }
        #expect(output.lines == ["one", "two", "three"])
    }

    @Test func waitsForAFileThatIsNotThereYet() async throws {
        let path = NSTemporaryDirectory() + "filestream-\(UUID().uuidString)"
        let output = try await run(["file": path, "topic": "t"]) { output in
            try Data("late\n".utf8).write(to: URL(fileURLWithPath: path))
            return output.lines == ["late"]
        }
        #expect(output.lines == ["late"])
    }

    @Test func cutsLinesTheSameHoweverTheBytesCome() throws {
        var random = SeededGenerator.printed()
        for _ in 0..<300 {
            let bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in [10, 13, 65, 66, 0xC3, 0xA9].randomElement(using: &random)! as UInt8 } + [10]
            func lines(_ cut: () -> Int) -> ([String], Int) {
                var splitter = LineSplitter(), found: [String] = [], consumed = 0, i = 0
                while i < bytes.count {
                    let n = min(cut(), bytes.count - i)
                    splitter.append(bytes[i..<i + n])
                    i += n
                    while let next = splitter.next(atMost: Int.random(in: 1...3, using: &random)) {
                        consumed += next.consumed
                        for row in 0..<next.texts.count { found.append(String(decoding: next.texts[row], as: UTF8.self)) }
                    }
                }
                return (found, consumed)
            }
            let whole = lines { bytes.count }, pieces = lines { Int.random(in: 1...5, using: &random) }
            #expect(whole.0 == pieces.0 && whole.1 == pieces.1 && whole.1 == bytes.count)
        }
        var splitter = LineSplitter()
        splitter.append("a\r\nb\rc\n\n".utf8)
        let next = splitter.next(atMost: 10)
        let cut = try #require(next)
        #expect((0..<cut.texts.count).map { String(decoding: cut.texts[$0], as: UTF8.self) } == ["a", "b", "c", ""])
    }

    @Test func judgesOffsetsInKafkasWords() throws {
        let source = try FileStreamSource(FileStreamSource.Configuration(["file": "/x", "topic": "t"]))
        func refusal(_ partition: OffsetMap, _ offset: OffsetMap) -> String? {
            do {
                try source.validateOffsets([SourcePosition(partition: partition, offset: offset)])
                return nil
            } catch { return (error as? ConnectorError)?.message }
        }
        #expect(refusal(["filename": "x"], ["position": 20]) == nil)
        #expect(refusal(["nofile": "x"], [:]) == nil)
        #expect(refusal(["nofile": "x"], ["position": 20]) == "Partition objects should contain the key 'filename'")
        #expect(refusal([:], ["position": 1]) == "Partition objects cannot be null")
        #expect(refusal(["filename": "x"], ["place": 1]) == "Offset objects should either be null or contain the key 'position'")
        #expect(refusal(["filename": "x"], ["position": -20]) == "The value for the 'position' key in the offset should be a non-negative value")
        #expect(refusal(["filename": "x"], ["position": "abc"]) == "The value for the 'position' key in the offset is expected to be a Long value")
        let standardInput = try FileStreamSource(FileStreamSource.Configuration(["topic": "t"]))
        #expect(throws: ConnectorError.self) { try standardInput.validateOffsets([]) }
    }

    @Test func appendsTheTextOfValues() async throws {
        let path = try temporaryFile("before\n")
        let schema = Schema.struct([.init("id", Schema(.int32)), .init("name", Schema(.string, optional: true)), .init("tags", .array(Schema(.string)))])
        let rows: [Value] = [.struct([1, "a", .array(["x", "y"])]), .struct([2, nil, .array([])])]
        let batch = RecordBatch(
            topic: "t", count: 3, key: nil, value: Column(schema.with(optional: true), rows + [.null]), tombstones: Bitmap([false, false, true]),
            timestamps: .constant(0, RecordBatch.timestampSchema, count: 3))
        var task = try await FileStreamSink(FileStreamSink.Configuration(["file": path])).makeTask(Self.context)
        let partition = TopicPartition("t", 0)
        _ = try await task.open([partition])
        try await task.write(ConsumedBatch(batch, from: partition, offsets: .contiguous(from: 5), nextOffset: 8))
        #expect(try await task.flush(.tick) == [partition: 8])
        #expect(try await task.flush(.tick) == [:])
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "before\nStruct{id=1,name=a,tags=[x, y]}\nStruct{id=2,tags=[]}\nnull\n")
    }

    @Test(arguments: [(12345, 2, "123.45"), (-5, 3, "-0.005"), (0, 2, "0.00"), (7, 0, "7"), (7, -2, "700")] as [(Int128, Int, String)])
    func printsDecimals(_ unscaled: Int128, _ scale: Int, _ text: String) { #expect(JavaText.decimal(unscaled, scale: scale) == text) }
}
