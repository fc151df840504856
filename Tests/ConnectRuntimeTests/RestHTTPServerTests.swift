import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import ConnectRuntime

/// The server below the routes: limits, deadlines and bad clients, over real sockets.
@Suite struct RestHTTPServerTests {
    private func withServer(
        _ limits: HTTPServer.Limits = HTTPServer.Limits(), handler: @escaping HTTPServer.Handler, _ body: @escaping @Sendable (HTTPServer) async throws -> Void
    ) async throws {
        let server = try HTTPServer(
            host: "127.0.0.1", port: 0, limits: limits, deadlineAnswer: { HTTPResponse(500, type: "text/plain", Array("late".utf8)) }, handler: handler)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await server.run() }
            defer { server.stop() }
            try await body(server)
        }
    }

    /// Blocking client code off the cooperative pool.
    private func blocking<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try work() }) }
        }
    }

    private static let echo: HTTPServer.Handler = { request in
        HTTPResponse(200, type: "text/plain", Array("\(request.method) \(request.rawPath)?\(request.rawQuery) ".utf8) + request.body)
    }

    @Test func keepsPathAndQueryEncodedAndConnectionsOpen() async throws {
        try await withServer(handler: Self.echo) { server in
            let port = server.port
            try await self.blocking {
                let client = try RestClient(port: port)
                #expect(try client.request("GET", "/a%2Fb/%C3%A9?x=1%262&y").text == "GET /a%2Fb/%C3%A9?x=1%262&y ")
                #expect(try client.request("POST", "/p", body: Array("hello".utf8)).text == "POST /p? hello")
                #expect(try client.request("PATCH", "/p", body: []).status == 200)
                let head = try client.request("HEAD", "/p")
                #expect(head.status == 200 && head.body.isEmpty)
                #expect(try client.request("GET", "/again").status == 200)
            }
        }
    }

    @Test func answersManyClientsAtOnce() async throws {
        try await withServer(handler: { request in
            try? await Task.sleep(for: .milliseconds(Int.random(in: 0...5)))
            return HTTPResponse(200, type: "text/plain", Array(request.rawPath.utf8))
        }) { server in
            let port = server.port
            try await withThrowingTaskGroup(of: Void.self) { group in
                for c in 0..<24 {
                    group.addTask {
                        try await self.blocking {
                            let client = try RestClient(port: port)
                            for i in 0..<20 { #expect(try client.request("GET", "/\(c)/\(i)").text == "/\(c)/\(i)") }
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func refusesBodiesPastTheLimitHoweverTheyCome() async throws {
        var limits = HTTPServer.Limits()
        limits.bodyBytes = 10_000
        try await withServer(limits, handler: Self.echo) { server in
            let port = server.port
            try await self.blocking {
                #expect(try RestClient(port: port).request("POST", "/", body: Array(repeating: 65, count: 10_001)).status == 413)
                #expect(try RestClient(port: port).request("POST", "/", body: Array(repeating: 65, count: 10_000)).status == 200)
                let chunked = try RestClient(port: port)
                chunked.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
                for _ in 0..<20 { chunked.send("3e8\r\n\(String(repeating: "a", count: 1000))\r\n".utf8) }
                chunked.send("0\r\n\r\n".utf8)
                #expect(try chunked.response().status == 413)
                #expect(try RestClient(port: port).request("POST", "/", headers: ["Content-Length": "99999999999999999999"]).status >= 400)
            }
        }
    }

    @Test func cutsClientsThatTrickleHeadOrBody() async throws {
        var limits = HTTPServer.Limits()
        limits.headDeadline = .seconds(1)
        limits.bodyDeadline = .seconds(1)
        try await withServer(limits, handler: Self.echo) { server in
            let port = server.port
            try await self.blocking {
                for start in ["GET / HTTP/1.1\r\nHost: x\r\nX-A: ", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"] {
                    let client = try RestClient(port: port)
                    client.send(start.utf8)
                    // One byte every 100 ms keeps an inactivity time-out from ever firing.
                    var byte: UInt8 = 0
                    var isCut = false
                    for _ in 0..<100 where !isCut {
                        client.send("a".utf8)
                        usleep(100_000)
                        isCut = recv(client.descriptor, &byte, 1, Int32(MSG_DONTWAIT)) == 0 || errno == ECONNRESET
                    }
                    #expect(isCut)
                }
            }
        }
    }

    @Test func answersForAHandlerThatIsLate() async throws {
        var limits = HTTPServer.Limits()
        limits.requestDeadline = .milliseconds(200)
        try await withServer(
            limits,
            handler: { _ in
                try? await Task.sleep(for: .seconds(60))
                return HTTPResponse(200)
            }
        ) { server in
            let port = server.port
            let response = try await self.blocking { try RestClient(port: port).request("GET", "/") }
            #expect(response.status == 500 && response.text == "late")
        }
    }

    @Test func streamsInChunksAndNoticesThatTheClientLeft() async throws {
        let (left, leaving) = AsyncStream<Void>.makeStream()
        try await withServer(handler: { request in
            HTTPResponse(streaming: "text/plain") { writer in
                if request.rawPath == "/three" {
                    for i in 0..<3 {
                        try await writer.write("line \(i)\n".utf8)
                        try await Task.sleep(for: .milliseconds(20))
                    }
                } else {
                    defer { leaving.finish() }
                    while true {
                        try await writer.write(Array(repeating: 65, count: 100_000))
                        if request.rawPath == "/quiet" { while !writer.isClosed { try await Task.sleep(for: .milliseconds(20)) } }
                    }
                }
            }
        }) { server in
            let port = server.port
            try await self.blocking {
                #expect(try RestClient(port: port).request("GET", "/three").text == "line 0\nline 1\nline 2\n")
                let quiet = try RestClient(port: port)
                quiet.send("GET /quiet HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
                _ = try quiet.line()
            }
            for await _ in left {}
        }
    }

    @Test func finishesRunningRequestsWhenStopped() async throws {
        let (started, starting) = AsyncStream<Void>.makeStream()
        let server = try HTTPServer(host: "127.0.0.1", port: 0) { _ in
            starting.finish()
            try? await Task.sleep(for: .milliseconds(300))
            return HTTPResponse(200, type: "text/plain", Array("done".utf8))
        }
        let port = server.port
        try await withThrowingTaskGroup(of: RestClient.Response?.self) { group in
            group.addTask {
                await server.run()
                return nil
            }
            group.addTask { try await self.blocking { Optional(try RestClient(port: port).request("GET", "/")) } }
            for await _ in started {}
            server.stop()
            for try await response in group { if let response { #expect(response.text == "done") } }
        }
        #expect(throws: RestClient.Closed.self) { try RestClient(port: port) }
    }

    @Test func survivesRandomBytes() async throws {
        let seed = SeededGenerator.printed().seed
        try await withServer(handler: Self.echo) { server in
            let port = server.port
            try await self.blocking {
                var random = SeededGenerator(seed: seed)
                let pieces = [
                    "GET ", "/", " HTTP/1.1\r\n", "Host: x\r\n", "\r\n", "Content-Length: ", "5", "-1", "%", "%2", "Transfer-Encoding: chunked\r\n", "\0",
                    "\u{e9}", "?", "&=", ":", "POST ",
                ]
                for _ in 0..<150 {
                    let client = try RestClient(port: port, timeout: 1)
                    var bytes: [UInt8] = []
                    for _ in 0..<Int.random(in: 1...20, using: &random) {
                        if Bool.random(using: &random) {
                            bytes += pieces.randomElement(using: &random)!.utf8
                        } else {
                            bytes += (0..<Int.random(in: 0...8, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
                        }
                    }
                    client.send(bytes)
                    shutdown(client.descriptor, Int32(SHUT_WR))
                }
                #expect(try RestClient(port: port).request("GET", "/alive").text == "GET /alive? ")
            }
        }
    }

    @Test func saysWhyItCannotListen() async throws {
        let first = try HTTPServer(host: "127.0.0.1", port: 0, handler: Self.echo)
        let error = #expect(throws: ConnectorError.self) { try HTTPServer(host: "127.0.0.1", port: first.port, handler: Self.echo) }
        #expect(error?.code == "rest.listen" && error?.message.contains("Address already in use") == true)
        first.stop()
        await first.run()
    }

    @Test(
        arguments: [("a%20b", "a b"), ("%C3%A9", "é"), ("a%2Fb", "a/b"), ("%", nil), ("%4", nil), ("%zz", nil), ("%ff", nil), ("", "")] as [(String, String?)])
    func decodesPercentEscapes(_ text: String, _ expected: String?) {
        #expect(PercentEncoding.decode(text) == expected)
        if let expected { #expect(PercentEncoding.decode(PercentEncoding.encode(expected)) == expected) }
    }
}
