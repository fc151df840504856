import ConnectAPI
@testable import ConnectRuntime
import Foundation
import JSON
import Testing

@Suite struct TransformsUnwrapTests {
    static let plugins: PluginRegistry = {
        var plugins = PluginRegistry()
        plugins.registerTransforms()
        plugins.registerConverters()
        return plugins
    }()

    static func chain(_ settings: [String: String]) throws -> TransformChain {
        var values = ["transforms": "unwrap", "transforms.unwrap.type": ExtractNewRecordState.className]
        for (key, value) in settings { values["transforms.unwrap.\(key)"] = value }
        return try TransformChain(values, plugins: plugins)
    }

    /// Records of one run of the recorder under another run's prefix, without what differs from run to run.
    static func comparable(_ records: [DebeziumRecording.Record], _ prefix: String) throws -> [[String?]] {
        let volatile = try Regex(
            "\"(__lsn|__ts_ms|__source_ts_ms|ts_ms|ts_us|ts_ns|txId|lsn)\":[0-9]+|\"sequence\":\"[^}]*?\\]\"|\"created_at\":\"20[2-9][5-9][^\"]*\""
        )
        func text(_ bytes: [UInt8]?) -> String? {
            bytes.map { String(decoding: $0, as: UTF8.self).replacing(volatile) { $0.output[1].substring ?? "…" } }
                .map {
                    $0.replacingOccurrences(of: "\"\(prefix).", with: "\"P.").replacingOccurrences(
                        of: "\"name\":\"\(prefix)\"", with: "\"name\":\"P\"")
                }
        }
        return records.map { record in
            [record.topic.replacingOccurrences(of: "\(prefix).", with: "P."), text(record.key), text(record.value)]
                + record.headers.map { $0 == prefix ? "P" : $0 }
        }
    }

    @Test(
        arguments: [
            ("unwrap-default", [:]), ("unwrap-drop", ["delete.tombstone.handling.mode": "drop"]),
            (
                "unwrap-rewrite-addfields",
                [
                    "delete.tombstone.handling.mode": "rewrite", "add.fields": "op,table,lsn,source.ts_ms,ts_ms",
                    "add.headers": "op,source.db",
                ]
            ),
        ] as [(String, [String: String])])
    func unwrappedRecordsAreDebeziums(_ scenario: String, _ settings: [String: String]) throws {
        let chain = try Self.chain(settings)
        let expected = try DebeziumRecording(scenario).topics
        let prefix = scenario.replacingOccurrences(of: "-", with: "_")
        var checked = 0
        for (topic, records) in try DebeziumRecording("default").topics {
            let table = topic.dropFirst("default".count)
            // A batch a run, a batch a row, and cuts in between: cuts carry no meaning.
            for cuts in [[], Set(records.indices), Set(stride(from: 0, to: records.count, by: 2))] {
                let batches = try DebeziumRecording.batches(records, cuts: cuts).flatMap { try chain.apply(TransformedBatch($0)) }
                let rendered = try Self.comparable(DebeziumRecording.render(batches.map(\.batch)), "default")
                let recorded = try Self.comparable(expected[prefix + table] ?? [], prefix)
                #expect(rendered.count == recorded.count, "\(topic)")
                for (a, b) in zip(rendered, recorded) {
                    #expect(a == b, "\(topic)")
                    checked += 1
                }
            }
        }
        #expect(checked > 100)
    }
}
