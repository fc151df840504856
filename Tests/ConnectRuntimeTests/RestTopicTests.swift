import ConnectAPI
import Foundation
import JSON
import Testing

@testable import ConnectRuntime

/// `/sluice/v1/topics` over sockets and a real embedded log.
@Suite struct RestTopicTests {
    private static let rendering = Rendering(
        key: .init("org.apache.kafka.connect.storage.StringConverter"),
        value: .init("org.apache.kafka.connect.json.JsonConverter", ["schemas.enable": "false"]),
        header: .init("org.apache.kafka.connect.storage.SimpleHeaderConverter"))

    private static func batch(_ ids: ClosedRange<Int64>, topic: String = "a topic") -> RecordBatch {
        let schema = Schema.struct([.init("id", Schema(.int64)), .init("text", Schema(.string, optional: true))])
        let n = ids.count
        return RecordBatch(
            topic: topic, count: n, key: Column(Schema(.string), ids.map { .string("k\($0)") }),
            value: Column(schema.with(optional: true), ids.map { $0 % 4 == 3 ? .null : .struct([.integer($0), .string("\"é\" \($0)\n")]) }),
            tombstones: Bitmap(ids.map { $0 % 4 == 3 }), timestamps: .constant(1_795_220_753_966, RecordBatch.timestampSchema, count: n),
            headers: [HeaderColumn("h", Column(Schema(.string), ids.map { .string("v\($0)") }), present: Bitmap(ids.map { $0 % 2 == 0 }))])
    }

    private func withLog(_ body: @escaping @Sendable (any Log, UInt16) async throws -> Void) async throws {
        let directory = NSTemporaryDirectory() + "rest-topics-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let log = try await EmbeddedLog.open(directory: directory)
        var options = RestOptions()
        options.listeners = [Listener(.http, ListenAddress(host: "127.0.0.1", port: 0))]
        options.metrics = { "sluice_up 1\n" }
        let server = try RestServer(ModelHerder(log: log), options)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await server.run() }
            defer { server.stop() }
            try await body(log, server.port)
        }
        await log.close()
    }

    private func blocking<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in Thread.detachNewThread { continuation.resume(with: Result { try work() }) } }
    }

    private static func append(_ ids: ClosedRange<Int64>, to log: any Log) async throws {
        try await log.append(Frame([batch(ids)], at: nil), by: Producer(connector: "c", task: 0, rendering: rendering))
    }

    @Test func listsTopicsAndRendersRecordsAsTheirConvertersDo() async throws {
        try await withLog { log, port in
            try await Self.append(0...3, to: log)
            try await Self.append(4...9, to: log)
            try await self.blocking {
                let client = try RestClient(port: port)
                #expect(
                    try client.request("GET", "/sluice/v1/topics").text
                        == #"[{"topic":"a topic","partitions":[{"partition":0,"start":0,"end":10}]}]"#)
                let all = try client.request("GET", "/sluice/v1/topics/a%20topic/records", headers: [:])
                let lines = all.text.split(separator: "\n").map(String.init)
                #expect(all.header("Content-Type") == "application/x-ndjson" && lines.count == 10)
                #expect(
                    lines[0]
                        == #"{"topic":"a topic","partition":0,"offset":0,"tstype":"create","ts":1795220753966,"headers":["h","v0"],"key":"k0","payload":"{\"id\":0,\"text\":\"\\\"é\\\" 0\\n\"}"}"#
                )
                #expect(
                    lines[3]
                        == #"{"topic":"a topic","partition":0,"offset":3,"tstype":"create","ts":1795220753966,"headers":[],"key":"k3","payload":null}"#)
                func offsets(_ query: String) throws -> [Int64] {
                    try client.request("GET", "/sluice/v1/topics/a%20topic/records?" + query).text.split(separator: "\n").map {
                        try JSONValue.parse(String($0))["offset"]!.integerValue!
                    }
                }
                #expect(try offsets("max=3") == [0, 1, 2])
                #expect(try offsets("offset=6") == [6, 7, 8, 9])
                #expect(try offsets("offset=-2") == [8, 9])
                #expect(try offsets("offset=2&max=4") == [2, 3, 4, 5])
                #expect(try offsets("offset=latest") == [])
                #expect(try offsets("offset=100") == [])
                #expect(try offsets("partition=1") == [])
                #expect(try client.request("GET", "/sluice/v1/topics/none/records").status == 404)
                #expect(try client.request("GET", "/sluice/v1/topics/none/records?offset=x").status == 400)
                #expect(try client.request("GET", "/metrics").text == "sluice_up 1\n")
            }
        }
    }

    @Test func followsATopicThatDoesNotExistYet() async throws {
        try await withLog { log, port in
            async let followed = self.blocking {
                let client = try RestClient(port: port)
                return try client.request("GET", "/sluice/v1/topics/a%20topic/records?follow=true&max=6").text.split(separator: "\n").count
            }
            try await Task.sleep(for: .milliseconds(50))
            try await Self.append(0...3, to: log)
            try await Task.sleep(for: .milliseconds(50))
            try await Self.append(4...9, to: log)
            #expect(try await followed == 6)
        }
    }
}
