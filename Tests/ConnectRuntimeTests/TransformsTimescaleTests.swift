import ConnectAPI
import JSON
import Synchronization
import Testing

@testable import ConnectRuntime

/// The cases of Debezium's own test of the transform, and what happens to rows when the catalog cannot be asked.
@Suite struct TransformsTimescaleTests {
    static let source = Schema.struct([.init("schema", Schema(.string, optional: true)), .init("table", Schema(.string, optional: true))], optional: true)
    static let row = Schema.struct([.init("id", Schema(.int64))], optional: true)
    static let envelope = Schema.struct(
        [.init("before", row), .init("after", row), .init("source", source), .init("op", Schema(.string))], name: "server1.timescaledb.Envelope")

    static func event(_ schema: Value, _ table: Value) -> Value { .struct([nil, .struct([.integer(1)]), .struct([schema, table]), "c"]) }
    static func batch(_ values: [Value]) -> TransformedBatch { TransformsDebeziumTests.batch(values, envelope, topic: "server1.timescaledb") }

    /// A chain whose database holds one hypertable and one aggregate; `asked` counts the questions.
    final class Database: Sendable {
        let asked = Mutex(0)
        let failures = Mutex(0)
        func chain(_ settings: [String: String] = [:]) throws -> TransformChain {
            var plugins = TransformsUnwrapTests.plugins
            plugins.databaseQuery = { [self] values, sql in
                #expect(values["database.hostname"] == "h" && sql.contains("_timescaledb_catalog.chunk"))
                asked.withLock { $0 += 1 }
                if failures.withLock({ left in
                    left -= 1
                    return left >= 0
                }) {
                    throw ConnectorError("postgres.unreachable", .retry, "The server is away")
                }
                return [
                    ["_timescaledb_internal", "_hyper_1_1_chunk", "public", "conditions", nil, nil],
                    [
                        "_timescaledb_internal", "_hyper_2_2_chunk", "_timescaledb_internal", "_materialized_hypertable_2", "public", "conditions_summary",
                    ],
                ]
            }
            let own = ["type": "TimescaleDb", "database.hostname": "h", "database.user": "u", "database.dbname": "d"].merging(settings) { $1 }
            return try TransformChain(
                own.reduce(into: ["transforms": "ts"]) { $0["transforms.ts." + $1.key] = $1.value }, plugins: plugins)
        }
    }

    private static func run(_ values: [Value], _ database: Database = Database(), _ settings: [String: String] = [:]) async throws -> [TransformedBatch] {
        let chain = try database.chain(settings)
        let stage = TransformStage(retries: .none) { try chain.apply($0) }
        return try await stage.run(batch(values)) { _, error in throw error }
    }

    private static func name(_ batch: TransformedBatch, _ row: Int = 0) -> [String?] {
        let source = batch.batch.value?.child("source")
        return [source?.child("schema")?[row].stringValue, source?.child("table")?[row].stringValue, batch.batch.topic]
    }

    @Test func chunksBearTheNameOfTheirHypertable() async throws {
        let out = try await Self.run([Self.event("_timescaledb_internal", "_hyper_1_1_chunk")])
        #expect(out.count == 1 && Self.name(out[0]) == ["public", "conditions", "timescaledb.public.conditions"])
        #expect(
            try TransformsDebeziumTests.headers(out) == [
                "__debezium_timescaledb_chunk_table=_hyper_1_1_chunk __debezium_timescaledb_chunk_schema=_timescaledb_internal"
            ])
        let routed = try await Self.run([Self.event("_timescaledb_internal", "_hyper_1_1_chunk")], Database(), ["target.topic.prefix": "myprefix"])
        #expect(Self.name(routed[0]) == ["public", "conditions", "myprefix.public.conditions"])
    }

    @Test func chunksOfAnAggregateBearItsName() async throws {
        let out = try await Self.run([Self.event("_timescaledb_internal", "_hyper_2_2_chunk")])
        #expect(Self.name(out[0]) == ["public", "conditions_summary", "timescaledb.public.conditions_summary"])
        #expect(
            try TransformsDebeziumTests.headers(out) == [
                "__debezium_timescaledb_chunk_table=_hyper_2_2_chunk __debezium_timescaledb_chunk_schema=_timescaledb_internal "
                    + "__debezium_timescaledb_hypertable_table=_materialized_hypertable_2 __debezium_timescaledb_hypertable_schema=_timescaledb_internal"
            ])
    }

    @Test func otherRecordsPassAsTheyAre() async throws {
        let chunk: Value = "_timescaledb_internal"
        let values: [Value] = [
            Self.event(nil, nil), .struct([nil, nil, nil, "c"]), Self.event(chunk, nil), Self.event(nil, "_hyper_1_1_chunk"), Self.event("different", "table"),
            Self.event(chunk, "_hyper_10_1_chunk"), nil,
        ]
        let out = try await Self.run(values)
        #expect(out.allSatisfy { $0.batch.topic == "server1.timescaledb" && $0.batch.headers.isEmpty } && out.reduce(0) { $0 + $1.batch.count } == values.count)
        #expect(try TransformsDebeziumTests.values(out) == TransformsDebeziumTests.values([Self.batch(values)]))
    }

    @Test func theCatalogIsAskedOnceForWhatIsUnknown() async throws {
        let database = Database(), chain = try database.chain()
        let stage = TransformStage(retries: .none) { try chain.apply($0) }
        for table in ["_hyper_1_1_chunk", "_hyper_2_2_chunk", "_hyper_10_1_chunk", "_hyper_10_1_chunk"] {
            _ = try await stage.run(Self.batch([Self.event("_timescaledb_internal", .string(table))])) { _, error in throw error }
        }
        #expect(database.asked.withLock { $0 } == 2)
    }

    @Test func aDatabaseThatIsAwayIsNoRowsFault() async throws {
        let database = Database()
        database.failures.withLock { $0 = 1 }
        let chain = try database.chain(), waits = Mutex(0)
        let stage = TransformStage(retries: .none, onRetry: { _, _ in waits.withLock { $0 += 1 } }) { try chain.apply($0) }
        let rows = Self.batch(Array(repeating: Self.event("_timescaledb_internal", "_hyper_1_1_chunk"), count: 4))
        #expect(try await stage.run(rows) { _, error in throw error }.first?.batch.topic == "timescaledb.public.conditions")
        #expect(waits.withLock { $0 } == 1 && database.asked.withLock { $0 } == 2)
    }

    @Test func theDatabaseMustBeNamed() {
        let error = #expect(throws: ConnectorError.self) { try Database().chain(["database.hostname": ""]) }
        #expect(error?.message.contains("database.hostname") == true)
    }
}
