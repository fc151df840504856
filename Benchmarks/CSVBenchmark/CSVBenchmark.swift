import CSV
import ConnectAPI
import Glibc

/// Rows per second of CPU time from CSV bytes in memory to columns, one thread; the last word printed. `csv_duckdb.py` reads the same file.
///
///     csv-benchmark FILE COLUMNS      COLUMNS: id long, amount decimal(18,2), …
@main struct CSVBenchmark {
    static let chunk = 256 << 10

    static func main() throws {
        guard CommandLine.arguments.count == 3 else { fatalError("csv-benchmark FILE COLUMNS") }
        let bytes = try read(CommandLine.arguments[1]), columns = CSVColumnReader(try CSVColumn.list(CommandLine.arguments[2]))
        var times: [Double] = [], rows = 0
        for _ in 0..<5 {
            let start = clock()
            rows = parse(bytes, columns)
            times.append(Double(clock() - start) / Double(CLOCKS_PER_SEC))
        }
        let seconds = times.sorted()[2]
        print("\(rows) rows, \(bytes.count) bytes, \(Int(Double(bytes.count) / seconds / 1e6)) MB/s, rows/s:", Int(Double(rows) / seconds))
    }

    /// As the source reads: pieces of 256 KiB, each into columns; the header is the first row.
    static func parse(_ bytes: [UInt8], _ columns: CSVColumnReader) -> Int {
        let tokenizer = CSVTokenizer(CSVDialect()), width = columns.columns.count
        var rows = CSVRows(), start = 0, count = 0
        bytes.withUnsafeBytes { bytes in
            tokenizer.scan(UnsafeRawBufferPointer(rebasing: bytes[..<min(bytes.count, chunk)]), into: &rows, width: width, limit: 1, isFinal: false)
            start = rows.consumed
            while start < bytes.count {
                let end = min(bytes.count, start + chunk), piece = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                tokenizer.scan(piece, into: &rows, width: width, limit: .max, isFinal: end == bytes.count)
                let result = columns.parse(rows, piece)
                precondition(result.bad.isEmpty && rows.malformed.isEmpty && rows.consumed > 0)
                count += result.columns[0].count
                start += rows.consumed
            }
        }
        return count
    }

    static func read(_ path: String) throws -> [UInt8] {
        guard let file = fopen(path, "r") else { fatalError("no file \(path)") }
        defer { fclose(file) }
        fseek(file, 0, SEEK_END)
        let size = ftell(file)
        rewind(file)
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in count = fread(buffer.baseAddress, 1, size, file) }
    }
}
