import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import ConnectorsDatagen

/// Records drawn from schemas.
@Suite struct DatagenTests {
    private func make(_ config: [String: String], from: [SourcePosition] = []) async throws -> RecordingOutput {
        try await run(DatagenSource.self, ["kafka.topic": "t", "max.interval": "0", "random.seed": "42"].merging(config) { $1 }, from: from) { _ in false }
    }

    @Test(arguments: Quickstart.schemas.keys.sorted()) func everyQuickstartMakesRecordsOfItsSchema(_ name: String) async throws {
        let output = try await make(["quickstart": name.uppercased(), "iterations": "50"])
        let batch = output.frames[0].batches[0]
        #expect(output.count("t") == 50 && batch.key != nil && batch.headers.map(\.name) == ["task.generation", "task.id", "current.iteration"])
        for row in 0..<50 {
            guard case .struct(let members) = batch.value![row] else {
                Issue.record("\(batch.value![row])")
                return
            }
            #expect(members.count == batch.value!.schema.fields.count)
        }
    }

    @Test func theBankIsWhatThePipelinesExpect() async throws {
        let values = try await make(["quickstart": "transactions", "iterations": "3000"]).values("t")
        var kinds: Set<String> = [], nulls = 0
        for (i, value) in values.enumerated() {
            guard case .struct(let m) = value, case .double(let amount) = m[3], let account = m[1].integerValue else {
                Issue.record("\(value)")
                return
            }
            #expect(m[0] == .integer(Int64(i) + 1) && (1..<2000).contains(account) && amount >= 1 && amount <= 1000 && (amount * 100).rounded() / 100 == amount)
            kinds.insert(m[2].stringValue!)
            if m[4].isNull { nulls += 1 }
        }
        #expect(kinds == ["DEPOSIT", "WITHDRAWAL", "TRANSFER"] && (1300...1700).contains(nulls))
    }

    @Test func goesOnWithTheRecordsThatWouldHaveCome() async throws {
        let config = ["quickstart": "orders", "iterations": "2500"]
        let whole = try await make(config)
        #expect(whole.frames.count == 3)
        let rest = try await make(config, from: [whole.frames[0].position!])
        #expect(rest.values("t") == Array(whole.values("t")[1000...]))
        #expect(rest.position?.offset["task.generation"] == 1 && rest.position?.offset["current.iteration"] == 2500)
        // Without a seed in the configuration the offset's counts.
        let unseeded = try await run(
            DatagenSource.self, ["kafka.topic": "t", "max.interval": "0", "quickstart": "orders", "iterations": "2500"], from: [whole.frames[0].position!]
        ) { _ in false }
        #expect(unseeded.values("t") == rest.values("t"))
    }

    @Test func drawsWhatARegexMatches() throws {
        var random = SplitMix(state: .random(in: 0...UInt64.max))
        print("datagen: state \(random.state)")
        for regex in ["User_[1-9]{1,3}", "[a-z]{8}[0-9]{4}@example\\.com", "(GET|POST) /\\w+\\?id=\\d{3}", "a?b*c+", "[A-Fx-z-]{2,}", "^.{5}$", "(?:ab){2}"] {
            let pattern = try TextPattern(regex, "field")
            for _ in 0..<200 {
                let text = pattern.text(&random)
                #expect(text.range(of: "^(?:\(regex))$", options: .regularExpression) != nil, "\(text) is no \(regex)")
            }
        }
        for bad in ["(a", "a)", "[", "[^a]", "a{", "a{3,1}", "\\p", "a\\", "[z-a]"] { #expect(throws: TemplateError.self) { try TextPattern(bad, "field") } }
    }

    @Test func anyTextIsAPatternOrNot() {
        var random = SeededGenerator(seed: .random(in: 0...UInt64.max))
        print("datagen fuzz: SLUICE_SEED=\(random.seed)")
        var draws = SplitMix(state: 1)
        let alphabet = Array("ab1()[]{}|?*+-^$\\d.,:é")
        for _ in 0..<20_000 {
            let text = String((0..<Int.random(in: 0...12, using: &random)).map { _ in alphabet.randomElement(using: &random)! })
            if let pattern = try? TextPattern(text, "field"), !text.contains("{") { _ = pattern.text(&draws) }
        }
    }

    @Test(
        arguments: [
            #"{"type":"int"}"#, "no", #"{"type":"record","fields":[]}"#, #"{"type":"record","fields":[{"name":"a","type":"money"}]}"#,
            #"{"type":"record","fields":[{"name":"a","type":["int","string"]}]}"#,
            #"{"type":"record","fields":[{"name":"a","type":{"type":"int","arg.properties":{"range":{"min":5,"max":5}}}}]}"#,
            #"{"type":"record","fields":[{"name":"a","type":{"type":"int","arg.properties":{"options":["x"]}}}]}"#,
        ])
    func refusesWhatItCannotDraw(_ schema: String) {
        #expect(DatagenSource.Configuration.parse(["kafka.topic": "t", "schema.string": schema]).findings.map(\.key) == ["schema.string"])
    }
}
