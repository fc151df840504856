import ConnectAPI
import Foundation
import JSON
import TestSupport
import Testing

@testable import ConnectRuntime

/// Requests nobody would write: every answer is an answer, in the one shape of errors.
@Suite struct RestFuzzTests {
    @Test func answersAnyPathMethodAndBody() async throws {
        var random = SeededGenerator.printed()
        let router = Router(ModelHerder(), RestOptions())
        let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "", "x y"]
        let segments = [
            "connectors", "a", "b%20c", "%2F", "%", "%ff", "config", "status", "tasks", "0", "99999999999999999999", "-1", "restart", "offsets", "topics",
            "reset",
            "connector-plugins", "FileStreamSource", "validate", "admin", "loggers", "root", "pause", "stop", "", "..", "é",
        ]
        let pieces = [
            "{", "}", "[", "]", ":", ",", "\"name\"", "\"config\"", "\"connector.class\"", "\"FileStreamSource\"", "\"a\"", "null", "true", "1e999", "-0",
            "\"\\ud800\"",
            "\"offsets\"", "\"partition\"", "\"initial_state\"", "\"transforms\"", "\"level\"", "\u{0}", "é", " ", "\"topic\"", "\"t\"",
        ]
        let whole = [
            #"{"name":"a","config":{"connector.class":"FileStreamSource","topic":"t","tasks.max":"\#(Int.random(in: -9...9, using: &random))"}}"#,
            #"{"connector.class":"FileStreamSink","topics":"a,,b","topics.regex":"((("}"#, #"{"transforms":"a,a,","connector.class":"FileStreamSource"}"#,
            #"{"offsets":[{"partition":{"kafka_topic":null},"offset":{"kafka_offset":1e400}}]}"#,
        ]
        for _ in 0..<3000 {
            let path = "/" + (0..<Int.random(in: 0...5, using: &random)).map { _ in segments.randomElement(using: &random)! }.joined(separator: "/")
            let body =
                Bool.random(using: &random)
                ? whole.randomElement(using: &random)!
                : (0..<Int.random(in: 0...12, using: &random)).map { _ in pieces.randomElement(using: &random)! }.joined()
            var headers: [(name: String, value: String)] = [("content-type", "application/json")]
            if Int.random(in: 0...3, using: &random) == 0 {
                headers.append(("accept", ["", ";q=", "text/html", "application/json;q=0.5", ",,"].randomElement(using: &random)!))
            }
            let method = methods.randomElement(using: &random)!
            let response = await router.answer(
                HTTPRequest(method: method, target: path + "?expand=%&includeTasks&x=%zz", headers: headers, body: Array(body.utf8)))
            #expect((200..<600).contains(response.status))
            guard response.status >= 400, case .bytes(let bytes) = response.body, let error = try? JSONValue.parse(bytes) else { continue }
            #expect(error["error_code"] == .integer(response.status), "\(method) \(path) \(body)")
            #expect(error["message"]?.stringValue?.isEmpty == false)
        }
    }

    @Test func parsesOffsetsOfSinksOrRefusesThem() {
        let values: [Value] = [.null, "x", "3", 5, -1, .double(1.5), true, .string("99999999999999999999")]
        for topic in values {
            for number in values {
                for offset in values {
                    let position = SourcePosition(partition: ["kafka_topic": topic, "kafka_partition": number], offset: ["kafka_offset": offset])
                    do { _ = try ConnectorOffsets.sinkOffsets([position]) } catch { #expect((error as? HerderError)?.status == 400) }
                }
            }
        }
    }
}
