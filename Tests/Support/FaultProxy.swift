public import Foundation
import Synchronization

/// A proxy in front of a real HTTP server that lets most requests pass and does harm to some, as a network or an overloaded service would.
///
///     client ─▶ FaultProxy ─▶ server         decide(request) says what happens; nil passes the request and its answer on unchanged
///
/// The `Host` header is passed on, so signatures stay valid. One thread a connection: it is for tests.
public final class FaultProxy: Sendable {
    public struct Request: Sendable {
        public let method: String
        /// Path and query as sent.
        public let target: String
        /// Names in lower case.
        public let headers: [String: String]
        public let bodyBytes: Int

        public var isPart: Bool { method == "PUT" && target.contains("partNumber=") }
        public var isBegin: Bool { method == "POST" && target.contains("uploads") }
        public var isComplete: Bool { method == "POST" && target.contains("uploadId=") }
    }

    public enum Fault: Sendable {
        /// Answers without asking the server.
        case answer(Int, headers: [String: String] = [:], body: String = "")
        /// Cuts the connection after so many bytes of the request's body; the server sees nothing.
        case reset(afterBytes: Int)
        /// The server does its work and the answer is lost.
        case loseAnswer
        /// The server does its work and the answer is status 200 with this body instead of its own.
        case replaceAnswer(body: String)
        /// Passes the answer on with this many bytes a second.
        case slow(bytesPerSecond: Int)
        /// Keeps the client waiting for good; `forwarding`: the server has done its work.
        case hold(forwarding: Bool)
    }

    public static func error(_ code: String, _ message: String = "As the test wished") -> String {
        "<?xml version=\"1.0\"?><Error><Code>\(code)</Code><Message>\(message)</Message><RequestId>proxy</RequestId></Error>"
    }

    public let port: Int
    private let listener: Int32
    private let upstream: Int
    private let decide: @Sendable (Request) -> Fault?
    private let seen = Mutex<[(time: Date, request: Request)]>([])
    private let open = Mutex<(sockets: Set<Int32>, isStopped: Bool)>(([], false))

    public var endpoint: String { "http://127.0.0.1:\(port)" }
    /// Every request so far.
    public var requests: [(time: Foundation.Date, request: Request)] { seen.withLock { $0 } }

    public init(to upstream: Int, decide: @escaping @Sendable (Request) -> Fault?) throws {
        self.upstream = upstream
        self.decide = decide
        (listener, port) = try LoopbackSocket.listen()
        let me = self
        Thread.detachNewThread {
            while case let client = accept(me.listener, nil, nil), client >= 0 { Thread.detachNewThread { me.serve(client) } }
        }
    }

    public func stop() {
        open.withLock { state in
            state.isStopped = true
            for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
        }
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private func track(_ socket: Int32) -> Bool {
        open.withLock { state in
            if !state.isStopped { state.sockets.insert(socket) }
            return !state.isStopped
        }
    }

    private func end(_ socket: Int32) {
        open.withLock { _ = $0.sockets.remove(socket) }
        close(socket)
    }

    private func serve(_ client: Int32) {
        guard track(client) else { return _ = close(client) }
        defer { end(client) }
        var reader = LoopbackSocket.Reader(client)
        while let head = reader.head() {
            let (line, headers) = LoopbackSocket.parse(head)
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 3 else { return }
            let length = headers["content-length"].flatMap { Int($0) } ?? 0
            let request = Request(method: words[0], target: words[1], headers: headers, bodyBytes: length)
            seen.withLock { $0.append((Date(), request)) }
            let fault = decide(request)
            if case .reset(let bytes) = fault {
                if headers["expect"] != nil { LoopbackSocket.send(client, Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)) }
                _ = reader.body(min(bytes, length))
                return LoopbackSocket.reset(client)
            }
            if case .answer(let status, let extra, let text) = fault {
                // The body is not read, as a service that refuses does.
                LoopbackSocket.send(client, LoopbackSocket.answer(status, extra.merging(["Connection": "close"]) { $1 }, request.method == "HEAD" ? "" : text))
                if headers["expect"] == nil { _ = reader.body(length) }
                return
            }
            if case .hold(forwarding: false) = fault { return reader.waitForEnd() }
            if headers["expect"] != nil { LoopbackSocket.send(client, Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)) }
            guard let body = reader.body(length), let answer = forward(head, body, isHead: request.method == "HEAD") else { return }
            switch fault {
            case .loseAnswer: return LoopbackSocket.reset(client)
            case .hold: return reader.waitForEnd()
            case .replaceAnswer(let text): LoopbackSocket.send(client, LoopbackSocket.answer(200, [:], text))
            case .slow(let rate):
                for at in stride(from: 0, to: answer.count, by: max(1, rate / 10)) {
                    guard LoopbackSocket.send(client, Array(answer[at..<min(at + max(1, rate / 10), answer.count)])) else { return }
                    usleep(100_000)
                }
            default: guard LoopbackSocket.send(client, answer) else { return }
            }
        }
    }

    /// One exchange with the server on a connection of its own; the whole answer.
    private func forward(_ head: [UInt8], _ body: [UInt8], isHead: Bool) -> [UInt8]? {
        guard let server = LoopbackSocket.connect(port: upstream) else { return LoopbackSocket.answer(502, [:], "") }
        guard track(server) else { return nil }
        defer { end(server) }
        // The 100 was given here already.
        let lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n").filter { !$0.lowercased().hasPrefix("expect:") }
        guard LoopbackSocket.send(server, Array(lines.joined(separator: "\r\n").utf8) + body) else { return nil }
        var reader = LoopbackSocket.Reader(server)
        guard let answer = reader.head() else { return nil }
        let (_, headers) = LoopbackSocket.parse(answer)
        if isHead { return answer }
        if headers["transfer-encoding"]?.lowercased() == "chunked" { return reader.chunks().map { answer + $0 } }
        return reader.body(headers["content-length"].flatMap { Int($0) } ?? 0).map { answer + $0 }
    }
}
