import ConnectAPI
import Foundation
import Testing
import TestSupport

@testable import ConnectorsObjectStore

@Suite struct PartitioningTests {
    @Test func pathFormatsFollowJoda() throws {
        // 2026-03-05T07:08:09.012
        let time = ISO8601.day(year: 2026, month: 3, day: 5) * 86_400_000 + ((7 * 60 + 8) * 60 + 9) * 1000 + 12
        for (pattern, text) in [
            ("'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH", "year=2026/month=03/day=05/hour=07"), ("yyyy-MM-dd", "2026-03-05"), ("yy", "26"), ("y", "2026"),
            ("yyyyy", "02026"), ("M/d/H/m/s", "3/5/7/8/9"), ("mm:ss.SSS", "08:09.012"), ("S", "0"), ("SS", "01"), ("SSSSSS", "012000"), ("D", "64"),
            ("MMM MMMM", "Mar March"), ("''yyyy''", "'2026'"), ("'it''s'", "it's"), ("'dt'=YYYY-MM-dd/'hh'=HH", "dt=2026-03-05/hh=07"),
        ] {
            #expect(try PathFormat(pattern).text(localMilliseconds: time) == text, "\(pattern)")
        }
        for pattern in ["'open", "yyyy-QQ", "T"] { #expect(throws: PathFormat.Mistake.self) { try PathFormat(pattern) } }
    }

    @Test func textTimesAreRead() {
        func millis(_ text: String) -> Int64? { TimestampText.milliseconds(Array(text.utf8)[...]) }
        #expect(millis("1714981089101") == 1_714_981_089_101)
        for text in ["2024-05-06T07:08:09Z", "2024-05-06T07:08:09", "2024-05-06T09:08:09+02:00", "2024-05-06 02:08:09-0500"] {
            #expect(millis(text) == 1_714_979_289_000, "\(text)")
        }
        #expect(millis("2024-05-06") == 1_714_953_600_000)
        #expect(millis("2024-05-06T07:08:09.123456Z") == 1_714_979_289_123)
        for text in ["", "-", "20x4", "2024-13-01", "2024-02-30", "2024-05-06T", "2024-05-06T07:08:09+", "nonsense", "99999999999999999999"] {
            #expect(millis(text) == nil, "\(text)")
        }
        var random = SeededGenerator(seed: 5)
        for _ in 0..<5000 { _ = millis(String((0..<Int.random(in: 0...30, using: &random)).map { _ in "0123456789-:TZ+. ".randomElement(using: &random)! })) }
    }

    private func assign(_ partitioner: inout Partitioner, _ value: Column?, nulls: Bitmap? = nil, count: Int = 3) -> (names: [String?], rejects: [Int]) {
        let batch = RecordBatch(
            topic: "t", count: count, key: nil, value: value, timestamps: .constant(1_714_979_289_000, RecordBatch.timestampSchema, count: count))
        let result = partitioner.assign(
            ConsumedBatch(batch, from: TopicPartition("t", 7), offsets: .contiguous(from: 0), nextOffset: Int64(count)), value: value, nulls: nulls, now: 0)
        return ((0..<count).map { result.rows[$0] < 0 ? nil : partitioner.names[Int(result.rows[$0])] }, result.rejects.map(\.row))
    }

    @Test func fieldsMakeDirectories() {
        let inner = Schema.struct([.init("c", Schema(.string, optional: true))], optional: true)
        let schema = Schema.struct([.init("a", Schema(.int32)), .init("n", inner), .init("d", Schema(.float64))])
        let value = Column(schema, [.struct([1, .struct(["x/y"]), .double(0)]), .struct([2, .struct([nil]), .double(0)]), .struct([1, nil, .double(0)])])
        var plain = Partitioner(.fields(FieldDirectories(fields: ["a", "n.c"], escape: .none, delimiter: "/")))
        #expect(assign(&plain, value).names == ["a=1/n.c=x/y", "a=2/n.c=null", "a=1/n.c=null"])
        var hive = Partitioner(.fields(FieldDirectories(fields: ["n.c"], escape: .hive, delimiter: "/")))
        #expect(assign(&hive, value).names == ["n.c=x%2Fy", "n.c=__HIVE_DEFAULT_PARTITION__", "n.c=__HIVE_DEFAULT_PARTITION__"])
        var double = Partitioner(.fields(FieldDirectories(fields: ["d"], escape: .none, delimiter: "/")))
        #expect(assign(&double, value).rejects == [0, 1, 2])
        var missing = Partitioner(.fields(FieldDirectories(fields: ["zz"], escape: .none, delimiter: "/")))
        #expect(assign(&missing, value, nulls: Bitmap([false, true, false])).rejects == [0, 2])
        var fallback = Partitioner(.default)
        #expect(assign(&fallback, nil).names == ["partition=7", "partition=7", "partition=7"])
    }

    @Test func microsecondTimestampsAreNotTakenForMilliseconds() throws {
        let schema = Schema.struct([.init("at", Schema(.int64, optional: true, name: LogicalName.microTimestamp))])
        let value = Column(schema, [.struct([.integer(1_714_979_289_000_000)]), .struct([nil]), .struct([.integer(-1)])])
        func partitioner(_ fallback: TimestampExtractor.Fallback) throws -> Partitioner {
            Partitioner(
                .time(
                    TimeDirectories(
                        duration: 86_400_000, format: try PathFormat("yyyy-MM-dd"), zone: try TimeZoneRules("UTC"),
                        extractor: .recordField(path: ["at"], fallback))))
        }
        var strict = try partitioner(.dlq)
        let refused = assign(&strict, value)
        #expect(refused.names == ["2024-05-06", nil, "1969-12-31"] && refused.rejects == [1])
        var lenient = try partitioner(.record)
        #expect(assign(&lenient, value).names == ["2024-05-06", "2024-05-06", "1969-12-31"])
    }
}
