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

    @Test func zonesAgreeWithPython() throws {
        let zones = [
            "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "America/Sao_Paulo", "Asia/Tokyo",
            "Europe/Dublin", "America/St_Johns", "UTC", "Etc/GMT+5",
        ]
        var random = SeededRandom(state: 11)
        let instants = (0..<400).map { _ in Int64.random(in: -2_200_000_000...4_000_000_000, using: &random) }
        let script = """
            import json, sys, zoneinfo, datetime
            zones, instants = json.load(sys.stdin)
            epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
            print(json.dumps([[int((epoch + datetime.timedelta(seconds=s)).astimezone(zoneinfo.ZoneInfo(z)).utcoffset().total_seconds()) for s in instants] for z in zones]))
            """
        let input = "[\(String(decoding: try JSONEncoder().encode(zones), as: UTF8.self)),\(instants)]"
        let offsets = try JSONDecoder().decode([[Int64]].self, from: Data(Python.run(script, input: input).utf8))
        for (zone, expected) in zip(zones, offsets) {
            let rules = try TimeZoneRules(zone)
            for (instant, offset) in zip(instants, expected) {
                #expect(rules.offset(at: instant * 1000) == offset * 1000, "\(zone) at \(instant)")
                let period = rules.period(at: instant * 1000)
                #expect(period.from <= instant * 1000 && instant * 1000 < period.until, "\(zone) at \(instant)")
            }
        }
        #expect(try TimeZoneRules("+02:00").offset(at: 0) == 7_200_000)
        for bad in ["Mars/Olympus", "../../etc/passwd", "", "/etc/localtime", "+25:00"] { #expect(throws: (any Error).self) { try TimeZoneRules(bad) } }
    }

    @Test func damagedZoneFilesNeverTrap() throws {
        let good = try Array(Data(contentsOf: URL(fileURLWithPath: "/usr/share/zoneinfo/Europe/Paris")))
        var random = SeededRandom(state: 3)
        for _ in 0..<2000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if Bool.random(using: &random) { bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random))) }
            _ = TimeZoneRules(tzif: bytes)?.offset(at: Int64.random(in: -4_000_000_000_000...8_000_000_000_000, using: &random))
        }
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
        var random = SeededRandom(state: 5)
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
