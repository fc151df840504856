import ConnectAPI
import Foundation
import Testing
import TestSupport

@testable import ConnectorsObjectStore

@Suite struct NameTemplateTests {
    /// 2024-05-06T07:08:09.123Z.
    private static let time: Int64 = 1_714_979_289_123

    private func text(
        _ template: String, topic: String = "banking.public.orders", partition: Int32 = 7, start: Int64 = 1234, zone: String = "UTC", groups: [String] = []
    ) throws -> String {
        try NameTemplate(template, zone: TimeZoneRules(zone), dividing: true).text(
            topic: topic, partition: partition, directory: groups.joined(separator: NameTemplate.separator), start: start, timestamp: Self.time, counter: 3)
    }

    /// What Aiven's documentation and code give.
    @Test func namesAreAivens() throws {
        for (template, groups, name) in [
            ("{{topic}}-{{partition}}-{{start_offset}}", [], "banking.public.orders-7-1234"),
            ("{{topic}}-{{partition}}-{{start_offset}}.gz", [], "banking.public.orders-7-1234.gz"),
            ("{{ topic }}-{{ partition : padding = true }}-{{start_offset:padding=true}}", [], "banking.public.orders-0000000007-00000000000000001234"),
            ("{{partition:padding=false}}/{{start_offset:padding=false}}", [], "7/1234"),
            (
                "{{topic}}/{{timestamp:unit=yyyy}}/{{timestamp:unit=MM}}/{{timestamp:unit=dd}}/{{timestamp:unit=HH}}/{{start_offset}}",
                ["2024", "05", "06", "07"],
                "banking.public.orders/2024/05/06/07/1234"
            ),
            ("{{timestamp:unit=YYYY}}-{{topic}}", ["2024"], "2024-banking.public.orders"),
            ("keys/{{key}}", ["a/b"], "keys/a/b"), ("{{key}}-{{topic}}-{{partition}}", ["k"], "k-banking.public.orders-7"),
            // Ours.
            (
                "{{table}}/date={{timestamp:format=yyyy-MM-dd}}/{{table}}_{{timestamp:format=HHmmssSSSSSS}}.parquet", ["2024-05-06"],
                "orders/date=2024-05-06/orders_070809123000.parquet"
            ),
            ("{{date}}/{{timestamp:format=yyyy-MM-dd'T'HH-mm-ss}}_{{counter}}.parquet", ["2024-05-06"], "2024-05-06/2024-05-06T07-08-09_3.parquet"),
            ("{{field:customer.country}}/{{start_offset}}", ["DE"], "DE/1234"),
        ] { #expect(try text(template, groups: groups) == name, "\(template)") }
        #expect(try text("{{timestamp:format=HH:mm}}-{{topic}}", zone: "Europe/Berlin") == "09:08-banking.public.orders")
    }

    @Test func whatCannotBeANameIsRefusedWithASentence() throws {
        for (template, word) in [
            ("{{topic", "not closed"), ("{{}}", "no name"), ("{{topic:}}", "no parameter"), ("{{topic:padding=true}}", "no parameter"),
            ("{{partition:padding=yes}}", "padding=true"), ("{{partition:width=3}}", "padding=true"), ("{{timestamp}}", "yyyy|MM|dd|HH"),
            ("{{timestamp:unit=mm}}", "yyyy|MM|dd|HH"), ("{{timestamp:format=}}", "yyyy|MM|dd|HH"), ("{{timestamp:format=qq}}", "q"), ("plain", "no variable"),
            ("{{end_offset}}", "start_offset"), ("{{uuid:x}}", "no parameter"), ("{{nonsense}}", "not known"), ("{{field:}}", "field"),
        ] {
            let mistake = #expect(throws: NameTemplate.Mistake.self, "\(template)") { _ = try NameTemplate(template, zone: .utc, dividing: true) }
            #expect(mistake?.description.contains(word) == true, "\(template): \(mistake?.description ?? "")")
        }
        #expect(throws: NameTemplate.Mistake.self) { _ = try NameTemplate("{{key}}", zone: .utc) }
        #expect(throws: NameTemplate.Mistake.self) { _ = try NameTemplate("{{directory}}", zone: .utc, dividing: true) }
    }

    @Test func theVariablesSayHowRecordsAreGrouped() throws {
        func template(_ text: String) throws -> NameTemplate { try NameTemplate(text, zone: .utc, dividing: true) }
        for text in ["{{key}}", "{{key}}-{{topic}}", "{{partition}}/{{key}}.json"] { #expect(try template(text).isCompacting, "\(text)") }
        for text in ["{{topic}}-{{partition}}-{{key}}-{{start_offset}}", "{{key}}/{{timestamp:unit=dd}}", "{{topic}}"] {
            #expect(try !template(text).isCompacting, "\(text)")
        }
        let hour = try PathFormat("HH")
        #expect(try template("{{timestamp:unit=HH}}/{{key}}/{{start_offset}}").groups == [.time(hour), .key])
        #expect(try template("{{timestamp:format=HHmm}}/{{start_offset}}").groups == [])
    }

    /// Records of different groups or starts never share a name, whatever the template: the second choice tells them apart.
    @Test func namesOfDifferentFilesDiffer() throws {
        var random = SeededGenerator.printed()
        let pieces = [
            "{{topic}}", "{{table}}", "{{partition}}", "{{partition:padding=true}}", "{{start_offset}}", "{{start_offset:padding=true}}", "{{key}}",
            "{{timestamp:unit=yyyy}}", "{{timestamp:unit=HH}}", "{{timestamp:format=mmss}}", "{{date}}", "{{field:a.b}}", "/", "-", ".parquet", "x=", "ü", "}}",
            "{",
        ]
        for _ in 0..<2000 {
            let text = (0..<Int.random(in: 1...8, using: &random)).map { _ in pieces.randomElement(using: &random)! }.joined()
            guard let template = try? NameTemplate(text, zone: .utc, dividing: true) else { continue }
            var naming = FileNaming(topicsDirectory: "", fileExtension: "")
            naming.template = template
            var taken: [String: (partition: Int32, start: Int64)] = [:]
            for _ in 0..<20 {
                let file = (partition: Int32.random(in: 0...2, using: &random), start: Int64.random(in: 0...3, using: &random))
                let directory = template.groups.map { _ in ["a", "b", "", "c/d"].randomElement(using: &random)! }.joined(separator: NameTemplate.separator)
                let names = naming.names(topic: "t.u", partition: file.partition, directory: directory, start: file.start, time: Self.time)
                #expect(names == naming.names(topic: "t.u", partition: file.partition, directory: directory, start: file.start, time: Self.time))
                #expect(names.count == 2 && names[0] != names[1], "\(text)")
                // The same choice again means the same partition and start, once the first names are taken.
                if let other = taken[names[1]] { #expect(other == file, "\(text), seed \(random.seed)") }
                taken[names[1]] = file
            }
        }
    }

    @Test func anyTextIsATemplateOrAMistake() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let pieces = [
            "{", "}", "{{", "{{", "}}", "}}", ":", "=", "topic", "partition", "start_offset", "timestamp", "unit", "format", "padding", "true", "yyyy", "HH",
            "mm",
            "'", " ", "key", "field", "a.b", "\u{1F}", "é", "\0", "/",
        ]
        var parsed = 0
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0...12, using: &random)).map { _ in pieces.randomElement(using: &random)! }.joined()
            for dividing in [true, false] {
                guard let template = try? NameTemplate(text, zone: .utc, dividing: dividing) else { continue }
                parsed += 1
                _ = template.text(topic: "", partition: -1, directory: text, start: .max, timestamp: .min)
            }
        }
        #expect(parsed > 20, "some are templates, seed \(seed)")
        for pattern in ["{{topic}}{{", "{{{{topic}}}}", "{{topic}}}}"] { _ = try? NameTemplate(pattern, zone: .utc) }
        #expect(try NameTemplate("{{topic}}}}", zone: .utc).text(topic: "t", partition: 0, directory: "", start: 0, timestamp: 0) == "t}}")
    }
}
