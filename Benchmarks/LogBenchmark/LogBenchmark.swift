import Avro
import ConnectAPI
import ConnectRuntime
import Glibc
import JSON

/// Measures the embedded log on the columns a transactions table streams as.
///
///     log-benchmark append [DIRECTORY]    1M rows in frames of 4,096, then the same read back from the disk
///     log-benchmark latency [DIRECTORY]   1,000 single-row frames a second for 10 s: append to durable
///     log-benchmark codec                 columns to bytes and back in memory, before compression
///     log-benchmark converters            columns to records as Kafka holds them and back, JSON without schemas and Avro
///
/// The directory's disk is what is measured; it is emptied first.
@main struct LogBenchmark {
    static func main() async throws {
        let arguments = CommandLine.arguments
        let directory = arguments.count > 2 ? arguments[2] : "/tmp/sluice-log-bench"
        for file in ["sluice.db", "sluice.db-wal", "sluice.db-shm", "sluice.lock"] { unlink("\(directory)/\(file)") }
        switch arguments.count > 1 ? arguments[1] : "" {
        case "append": try await append(directory)
        case "latency": try await latency(directory)
        case "codec": try codec()
        case "converters": try converters()
        default: print("usage: log-benchmark append|latency|codec|converters [DIRECTORY]")
        }
    }

    private static let producer: Producer = {
        let json = Rendering.Converter("org.apache.kafka.connect.json.JsonConverter")
        return Producer(connector: "bench", task: 0, rendering: Rendering(key: json, value: json, header: json))
    }()

    private static func position(_ lsn: Int64) -> SourcePosition {
        SourcePosition(partition: ["server": "bench"], offset: ["lsn": .integer(lsn), "txId": .integer(lsn / 100)])
    }

    private static func append(_ directory: String) async throws {
        let frames = 245, rows = 4096
        let batches = (0..<frames).map { Transactions.batch(from: $0 * rows, rows: rows) }
        let raw = batches.reduce(0) { $0 + $1.byteCount }
        var options = EmbeddedLog.Options()
        options.cacheBytes = 0
        let log = try await EmbeddedLog.open(directory: directory, options: options)
        let clock = ContinuousClock(), cpu = processTime()
        let wall = try await clock.measure {
            let appender = log.appender(for: producer)
            var pending: [PendingAppend] = []
            for (i, batch) in batches.enumerated() {
                pending.append(appender.append(Frame([batch], at: position(Int64(i)))))
                // What a byte budget of some 32 frames does.
                if i >= 32 { try await pending[i - 32].durable() }
            }
            for append in pending { try await append.durable() }
        }
        let used = processTime() - cpu, n = frames * rows
        print("append: \(n) rows, \(raw >> 20) MiB of columns in \(wall): \(Int(Double(n) / wall.seconds)) rows/s, CPU \(used) s")
        var next: Int64 = 0
        let read = try await clock.measure {
            while true {
                let found = try await log.read(TopicPartition(Transactions.topic, 0), from: next, maxBytes: 8 << 20)
                guard let last = found.last else { break }
                next = last.endOffset
            }
        }
        print("read:   \(next) rows in \(read): \(Int(Double(next) / read.seconds)) rows/s")
        await log.close()
        var info = stat()
        stat("\(directory)/sluice.db", &info)
        print("disk:   \(info.st_size >> 20) MiB, \(Int(info.st_size) / n) bytes a row")
    }

    private static func latency(_ directory: String) async throws {
        let log = try await EmbeddedLog.open(directory: directory)
        let appender = log.appender(for: producer), clock = ContinuousClock(), count = 10_000
        let batches = (0..<count).map { Transactions.batch(from: $0, rows: 1) }
        let cpu = processTime(), start = clock.now
        let times = try await withThrowingTaskGroup(of: Duration.self) { group in
            for i in 0..<count {
                let due = start + .milliseconds(i)
                if clock.now < due { try await Task.sleep(until: due, tolerance: .zero, clock: clock) }
                let begun = clock.now, append = appender.append(Frame([batches[i]], at: position(Int64(i))))
                group.addTask {
                    try await append.durable()
                    return clock.now - begun
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }.sorted()
        }
        let wall = clock.now - start
        print(
            "latency: \(count) frames in \(wall), p50 \(times[count / 2]), p99 \(times[count * 99 / 100]), max \(times[count - 1]), CPU \(processTime() - cpu) s"
        )
        await log.close()
    }

    private static func codec() throws {
        let batch = Transactions.batch(from: 0, rows: 4096), clock = ContinuousClock(), rounds = 300
        var schemas: [Schema] = [], body: [UInt8] = []
        let encoding = try clock.measure {
            for _ in 0..<rounds {
                body = try BatchCodec.encode(batch) { schema in
                    if let known = schemas.firstIndex(of: schema) { return UInt32(known) }
                    schemas.append(schema)
                    return UInt32(schemas.count - 1)
                }
            }
        }
        var rows = 0
        let decoding = try clock.measure {
            for _ in 0..<rounds { rows += try BatchCodec.decode(body, topic: batch.topic) { schemas[Int($0)] }.count }
        }
        func rate(_ time: Duration) -> String { "\(Int(Double(batch.byteCount * rounds) / time.seconds / 1e6)) MB/s" }
        print("codec:  \(rows) rows, \(batch.byteCount) bytes as \(body.count); encode \(rate(encoding)), decode \(rate(decoding))")
    }

    /// CPU time on one thread, the values of 4,096 events at a time.
    private static func converters() throws {
        let value = Transactions.batch(from: 0, rows: 4096).value!, rounds = 100, n = Double(value.count * rounds)
        let type = try AvroType.parse(AvroSchema.json(value.schema)), schema = try type.connectSchema()
        let json = ConnectJSONOptions(schemasEnabled: false)
        func measure(_ name: String, _ bytes: Int, _ body: () throws -> Void) rethrows {
            let start = processTime()
            for _ in 0..<rounds { try body() }
            let time = processTime() - start
            print("converters: \(name): \(Int(n / time)) rows/s, \(bytes / value.count) bytes a row")
        }
        func avro() throws -> VarBytes {
            let rows = try AvroRows(value, type)
            var out = AvroBytes(), offsets: [Int32] = [0]
            for row in 0..<value.count {
                out.raw([0, 0, 0, 0, 1])
                try rows.write(row, to: &out)
                offsets.append(Int32(out.count))
            }
            return VarBytes(offsets: offsets, bytes: out.take())
        }
        func text() throws -> VarBytes {
            let renderer = ConnectJSONRenderer(value, json)
            var out = JSONWriter(), offsets: [Int32] = [0]
            for row in 0..<value.count {
                try renderer.write(row, to: &out)
                offsets.append(Int32(out.count))
            }
            return VarBytes(offsets: offsets, bytes: out.take())
        }
        let binary = try avro(), plain = try text()
        try measure("JSON written", plain.bytes.count) { _ = try text() }
        try measure("Avro written", binary.bytes.count) { _ = try avro() }
        try measure("JSON read", plain.bytes.count) {
            var reader = ConnectJSONReader(json)
            _ = try reader.read(plain, present: nil)
        }
        try measure("Avro read", binary.bytes.count) {
            let reader = try AvroReader(type, schema)
            try binary.bytes.withUnsafeBytes { bytes in
                for row in 0..<binary.count {
                    let range = binary.range(row)
                    try reader.read(bytes, range.lowerBound + 5..<range.upperBound)
                }
            }
            _ = try reader.finish()
        }
    }

    private static func processTime() -> Double {
        var now = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }
}

extension Duration {
    fileprivate var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
