import ConnectAPI
import Glibc
import Parquet

/// Rows per second of CPU time of the Parquet writer on the bank's transactions, one thread, into memory. The last word printed is the headline:
/// zstd level 3 with dictionary, page index and checksums. `parquet_pyarrow.py` writes the same rows with pyarrow.
///
///     parquet-benchmark [--all] [--level N] [--rows N] [--file PATH]      --all: every codec, with and without dictionary
@main struct ParquetBenchmark {
    static let batchRows = 8192

    static func main() throws {
        let arguments = CommandLine.arguments
        func value(_ name: String) -> String? { arguments.firstIndex(of: name).flatMap { arguments.dropFirst($0 + 1).first } }
        let rows = value("--rows").flatMap { Int($0) } ?? 1_000_000
        let batches = Transactions.batches(rows: rows, of: batchRows)

        if arguments.contains("--all") {
            for codec in ParquetOptions.Codec.allCases {
                for dictionary in [true, false] {
                    for level in codec == .zstd ? [1, 3] : [nil] as [Int?] {
                        var options = ParquetOptions()
                        options.codec = codec
                        options.compressionLevel = level
                        options.dictionary = dictionary
                        let (seconds, bytes) = try measure(batches, options, runs: 5)
                        let name = codec.rawValue + (level.map { " \($0)" } ?? "")
                        print("\(name), dictionary \(dictionary ? "on" : "off"): \(Int(Double(rows) / seconds)) rows/s, \(bytes) bytes")
                    }
                }
            }
        }
        var options = ParquetOptions()
        options.codec = .zstd
        options.compressionLevel = value("--level").flatMap { Int($0) } ?? 3
        let (seconds, bytes) = try measure(batches, options, runs: 7)
        if let path = value("--file") { try save(batches, options, path) }
        print(
            "zstd \(options.compressionLevel!), dictionary on, \(rows) rows in batches of \(batchRows), \(bytes) bytes, rows/s:",
            Int(Double(rows) / seconds))
    }

    static func write(_ batches: [Column], _ options: ParquetOptions, _ sink: ([UInt8]) -> Void) throws {
        let writer = try ParquetWriter(schema: Transactions.schema, options: options)
        for batch in batches { try writer.write(batch) }
        sink(try writer.finish())
    }

    /// The median of the runs.
    static func measure(_ batches: [Column], _ options: ParquetOptions, runs: Int) throws -> (seconds: Double, bytes: Int) {
        var times: [Double] = [], bytes = 0
        for _ in 0..<runs {
            let start = now()
            bytes = 0
            try write(batches, options) { bytes += $0.count }
            times.append(now() - start)
        }
        return (times.sorted()[runs / 2], bytes)
    }

    static func save(_ batches: [Column], _ options: ParquetOptions, _ path: String) throws {
        guard let file = fopen(path, "w") else { throw ConnectorError("benchmark.file", .stop, "Cannot write \(path)") }
        defer { fclose(file) }
        try write(batches, options) { bytes in _ = bytes.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, file) } }
    }

    /// CPU time, which equals the clock's on a quiet machine and is fair on a busy one.
    static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// The table that every benchmark uses; the same numbers come out of `parquet_pyarrow.py`.
enum Transactions {
    static let schema = Schema.struct([
        Schema.Field("id", Schema(.int64)),
        Schema.Field("account_id", Schema(.int32)),
        Schema.Field("txn_type", Schema(.string)),
        Schema.Field(
            "amount",
            Schema(
                .bytes, name: LogicalName.decimal, version: 1,
                parameters: [Schema.Parameter("scale", "2"), Schema.Parameter("connect.decimal.precision", "18")])),
        Schema.Field("related_account_id", Schema(.int32, optional: true)),
        Schema.Field("status", Schema(.string)),
        Schema.Field("created_at", Schema(.string, name: LogicalName.zonedTimestamp, version: 1)),
    ])

    static func batches(rows: Int, of size: Int) -> [Column] {
        stride(from: 0, to: rows, by: size).map { batch($0..<min(rows, $0 + size)) }
    }

    /// A number of column `c` in row `i` that looks random: SplitMix64's finisher.
    static func draw(_ i: Int, _ c: Int) -> UInt64 {
        var z = UInt64(i * 8 + c + 1) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    static func batch(_ rows: Range<Int>) -> Column {
        let types = ["DEPOSIT", "WITHDRAWAL", "TRANSFER"]
        var kinds = VarBytes(), states = VarBytes(), transfers = Bitmap()
        for i in rows {
            let kind = Int(draw(i, 2) % 3), state = draw(i, 5) % 100
            kinds.append(types[kind].utf8)
            transfers.append(kind == 2)
            states.append((state < 95 ? "COMPLETED" : state < 98 ? "PENDING" : "FAILED").utf8)
        }
        let storages: [Column.Storage] = [
            .int64(rows.map { Int64($0 + 1) }), .int32(rows.map { Int32(draw($0, 1) % 50_000 + 1) }), .utf8(kinds),
            .decimal128(rows.map { Int128(draw($0, 3) % 10_000_000) }), .int32(rows.map { Int32(draw($0, 4) % 50_000 + 1) }), .utf8(states),
            .utcMicros(rows.map { 1_700_000_000_000_000 + Int64($0) * 1000 + Int64(draw($0, 6) % 1000) }, fractionDigits: 6),
        ]
        let children = zip(schema.fields, storages).enumerated().map { c, part in
            Column(part.0.schema, count: rows.count, part.1, validity: c == 4 ? transfers : nil)
        }
        return Column(schema, count: rows.count, .struct(children))
    }
}
