import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import Parquet

/// The writer as the object store sink uses it: pieces, sizes, metadata, bounds.
@Suite struct WriterTests {
    private static let schema = Schema.struct([
        Schema.Field("id", Schema(.int64)), Schema.Field("name", Schema(.string, optional: true)),
    ])

    private func rows(_ range: Range<Int>) -> Column {
        Column(Self.schema, range.map { .struct([.integer(Int64($0)), $0 % 7 == 0 ? .null : .string("name \($0 % 13)")]) })
    }

    @Test func drainedPiecesMakeTheWholeFile() async throws {
        var options = ParquetOptions()
        options.rowGroupRows = 1000
        let writer = try ParquetWriter(schema: Self.schema, options: options, metadata: [("a", "1"), ("end", "0")])
        var bytes: [UInt8] = [], sizes: [Int] = []
        for start in stride(from: 0, to: 5000, by: 500) {
            try writer.write(rows(start..<start + 500))
            bytes += writer.drain()
            sizes.append(bytes.count)
            #expect(writer.encodedBytes >= bytes.count)
            #expect(writer.bufferedBytes < 1 << 20)
        }
        writer.setMetadata("end", "4999")
        let estimate = writer.encodedBytes
        bytes += try writer.finish()
        #expect(writer.rowCount == 5000)
        #expect(sizes[0] == 4 && Set(sizes).count == 6, "every second batch ends a row group")
        #expect(abs(bytes.count - estimate) < 3000, "estimated \(estimate), was \(bytes.count) with the footer")
        try await withTemporaryDirectory { directory in
            var oracle = Oracle(directory)
            let expected = (0..<5000).map { row in Expectation(options).json(rows(row..<row + 1)[0], Self.schema) }
            try oracle.add(
                "drained", bytes, rows: expected, options, groups: Array(repeating: 1000, count: 5),
                queries: [
                    "SELECT count(*) FROM FILE WHERE id >= 2990 AND id < 3010": "20",
                    "SELECT count(*) FROM FILE WHERE name = 'name 5'": "330",
                ],
                metadata: [("a", "1"), ("end", "4999")])
            try oracle.verify()
        }
    }

    @Test func memoryDoesNotGrowWithRowsOfFinishedRowGroups() throws {
        var options = ParquetOptions()
        options.codec = .zstd
        options.rowGroupRows = 5000
        let writer = try ParquetWriter(schema: Self.schema, options: options)
        var most = 0
        for start in stride(from: 0, to: 60_000, by: 2500) {
            try writer.write(rows(start..<start + 2500))
            _ = writer.drain()
            most = max(most, writer.bufferedBytes)
        }
        #expect(most < 400_000, "\(most)")
    }

    /// Bounds of long strings are cut, and still enclose every value.
    @Test func longBoundsAreCutButStillHold() {
        func check(_ low: [UInt8], _ high: [UInt8], text: Bool) {
            let (cut, _, maxIsExact) = Bounds(min: low, max: high).truncated(to: 64, text: text)
            #expect(!low.lexicographicallyPrecedes(cut.min) && !cut.max.lexicographicallyPrecedes(high))
            #expect(cut.min.count <= 64 && (cut.max.count <= 66 || maxIsExact))
            if text && String(validating: low, as: UTF8.self) != nil {
                #expect(String(validating: cut.min, as: UTF8.self) != nil && String(validating: cut.max, as: UTF8.self) != nil)
            }
        }
        check(Array(repeating: 0xFF, count: 100), Array(repeating: 0xFF, count: 100), text: false)
        check([UInt8](repeating: 1, count: 70), [UInt8](repeating: 0xFF, count: 63) + [1, 2, 3], text: false)
        for character in ["a", "ä", "€", "𝄞", "\u{7F}", "\u{D7FF}", "\u{10FFFF}"] {
            for shift in 0..<4 {
                let text = Array((String(repeating: "x", count: shift) + String(repeating: character, count: 80)).utf8)
                check(text, text, text: true)
            }
        }
        check(Array(repeating: 0x80, count: 90), [UInt8](repeating: 0xC3, count: 90), text: true)
    }

    @Test func hybridRunsReadBack() throws {
        var generator = SeededGenerator(seed: 2)
        for round in 0..<300 {
            let width = Int.random(in: 1...20, using: &generator)
            var values: [UInt32] = []
            while values.count < Int.random(in: 1...600, using: &generator) {
                let value = UInt32.random(in: 0..<(1 << UInt32(width)), using: &generator)
                values += Array(repeating: value, count: Bool.random(using: &generator) ? 1 : Int.random(in: 1...30, using: &generator))
            }
            var out = ByteBuffer()
            values.withUnsafeBufferPointer { HybridEncoder.append($0, width: width, to: &out) }
            #expect(decode(Array(out.bytes), width: width, count: values.count) == values, "round \(round)")
        }
    }

    /// A plain reading of the format's page on the hybrid.
    private func decode(_ bytes: [UInt8], width: Int, count: Int) -> [UInt32] {
        var out: [UInt32] = [], at = 0
        while out.count < count {
            var header = 0, shift = 0
            while true {
                header |= Int(bytes[at] & 0x7F) << shift
                shift += 7
                at += 1
                if bytes[at - 1] < 0x80 { break }
            }
            if header & 1 == 0 {
                var value: UInt32 = 0
                for i in 0..<(width + 7) / 8 { value |= UInt32(bytes[at + i]) << UInt32(8 * i) }
                at += (width + 7) / 8
                out += Array(repeating: value, count: header >> 1)
            } else {
                for i in 0..<(header >> 1) * 8 {
                    var value: UInt32 = 0
                    for bit in 0..<width where bytes[at + (i * width + bit) / 8] >> UInt8((i * width + bit) % 8) & 1 == 1 {
                        value |= 1 << UInt32(bit)
                    }
                    out.append(value)
                }
                at += (header >> 1) * width
            }
        }
        return Array(out.prefix(count))
    }
}
