import ConnectAPI
import Foundation
import TestSupport
import Testing

/// Zones of the system's time zone database, and offsets.
@Suite struct TimeZoneTests {
    private static let zones = [
        "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "America/Sao_Paulo", "Asia/Tokyo",
        "Europe/Dublin", "America/St_Johns", "UTC", "Etc/GMT+5",
    ]

    @Test func offsetsAndInstantsAgreeWithPython() throws {
        var random = SeededGenerator(seed: .random(in: 0...UInt64.max))
        print("zones: SLUICE_SEED=\(random.seed)")
        // Half of them within hours of a change of some zone's clocks.
        var changes: [Int64] = []
        for name in Self.zones {
            let zone = try TimeZoneRules(name)
            var until = zone.period(at: -2_200_000_000_000).until
            while until < 4_000_000_000_000 {
                changes.append(until / 1000)
                until = zone.period(at: until).until
            }
        }
        let instants = (0..<600).map { _ in
            Bool.random(using: &random)
                ? Int64.random(in: -2_200_000_000...4_000_000_000, using: &random)
                : changes.randomElement(using: &random)! + Int64.random(in: -100_000...100_000, using: &random)
        }
        let script = """
            import json, sys, zoneinfo, datetime
            zones, instants = json.load(sys.stdin)
            epoch = datetime.datetime(1970, 1, 1)
            utc = datetime.timezone.utc
            def offset(s, zone):
                return int((epoch.replace(tzinfo=utc) + datetime.timedelta(seconds=s)).astimezone(zone).utcoffset().total_seconds())
            def instant(s, zone):
                return int(((epoch + datetime.timedelta(seconds=s)).replace(tzinfo=zone).astimezone(utc) - epoch.replace(tzinfo=utc)).total_seconds())
            def later(s, zone):
                local = (epoch + datetime.timedelta(seconds=s)).replace(tzinfo=zone, fold=1)
                second = local.astimezone(utc)
                shown = second.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None)
                return int((second - epoch.replace(tzinfo=utc)).total_seconds()) if shown else instant(s, zone)
            print(json.dumps([[[offset(s, z), instant(s, z), later(s, z)] for s in instants] for z in map(zoneinfo.ZoneInfo, zones)]))
            """
        let input = "[\(String(decoding: try JSONEncoder().encode(Self.zones), as: UTF8.self)),\(instants)]"
        let expected = try JSONDecoder().decode([[[Int64]]].self, from: Data(Python.run(script, input: input).utf8))
        #expect(expected.joined().contains { $0[1] != $0[2] }, "no time that is shown twice was drawn")
        for (zone, expected) in zip(Self.zones, expected) {
            let rules = try TimeZoneRules(zone)
            for (time, expected) in zip(instants, expected) {
                #expect(rules.offset(at: time * 1000) == expected[0] * 1000, "\(zone) at \(time)")
                #expect(rules.instant(local: time * 1000) == expected[1] * 1000, "\(zone) where clocks show \(time)")
                #expect(rules.instant(local: time * 1000, later: true) == expected[2] * 1000, "\(zone) where clocks show \(time), the second time")
                let period = rules.period(at: time * 1000)
                #expect(period.from <= time * 1000 && time * 1000 < period.until, "\(zone) at \(time)")
            }
        }
    }

    @Test func zonesFollowTheirRulesForEver() throws {
        let berlin = try TimeZoneRules("Europe/Berlin"), sydney = try TimeZoneRules("Australia/Sydney")
        func offset(_ zone: TimeZoneRules, _ year: Int64, _ month: Int) -> Int64 {
            zone.offset(at: ISO8601.day(year: year, month: month, day: 15) * 86_400_000) / 1000
        }
        #expect(offset(berlin, 1900, 1) == 3600 && offset(berlin, 1800, 1) == 3208, "local mean time")
        for year: Int64 in [1996, 2021, 2050, 9999] { #expect(offset(berlin, year, 1) == 3600 && offset(berlin, year, 7) == 7200, "\(year)") }
        #expect(offset(sydney, 2050, 1) == 39_600 && offset(sydney, 2050, 7) == 36_000)
    }

    @Test func offsetsAreZonesAndOtherTextsAreNot() throws {
        for (text, seconds) in [("+02:00", 7200), ("-03:30", -12_600), ("+05", 18_000), ("-0530", -19_800), ("+01:02:03", 3723), ("utc", 0), ("Z", 0)] {
            #expect(try TimeZoneRules(text).offset(at: 0) == Int64(seconds) * 1000, "\(text)")
        }
        for bad in ["Mars/Olympus", "../../etc/passwd", "", "/etc/localtime", "+25:00", "+1", "europe", "Europe", "+1:00", "+01:60", "+0100:00", "+٠١"] {
            #expect(throws: TimeZoneRules.Unknown.self, "\(bad)") { try TimeZoneRules(bad) }
        }
    }

    @Test func zoneFilesOfAnyBytesAreRefusedOrRead() throws {
        var random = SeededGenerator(seed: .random(in: 0...UInt64.max))
        print("zone files: SLUICE_SEED=\(random.seed)")
        let file = Array(try Data(contentsOf: URL(fileURLWithPath: "/usr/share/zoneinfo/Europe/Berlin")))
        #expect(TimeZoneRules(tzif: file) != nil)
        for _ in 0..<4000 {
            var bytes =
                Bool.random(using: &random) ? file : (0..<Int.random(in: 0..<200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            for _ in 0..<Int.random(in: 0..<6, using: &random) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if Bool.random(using: &random) { bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random))) }
            guard let rules = TimeZoneRules(tzif: bytes) else { continue }
            for time in [Int64.min, .min / 4, Int64.random(in: -10_000_000_000_000...10_000_000_000_000, using: &random), .max / 4 - 1, .max] {
                let period = rules.period(at: time)
                #expect(period.from <= time && (time < period.until || period.until == .max))
                _ = rules.instant(local: time)
                _ = rules.instant(local: time, later: true)
            }
        }
    }
}
