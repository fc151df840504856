import Foundation
import JSON

/// A plain blocking HTTP client on a socket: sends exactly what it is told, and reads whole responses. For tests of the server.
final class RestClient {
    struct Response {
        var status: Int
        var headers: [(name: String, value: String)]
        var body: [UInt8]
        var text: String { String(decoding: body, as: UTF8.self) }
        var json: JSONValue? { try? JSONValue.parse(body) }
        func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }
    }
    struct Closed: Error {}

    let descriptor: Int32
    private var buffer: [UInt8] = []

    init(port: UInt16, timeout: Int = 20) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var wait = timeval(tv_sec: timeout, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) } }
        if code != 0 { throw Closed() }
    }

    deinit { close(descriptor) }

    func send(_ bytes: some Sequence<UInt8>) {
        let bytes = Array(bytes)
        var done = 0
        while done < bytes.count {
            let n = bytes.withUnsafeBytes { Foundation.send(descriptor, $0.baseAddress! + done, $0.count - done, Int32(MSG_NOSIGNAL)) }
            if n <= 0 { return }
            done += n
        }
    }

    func request(_ method: String, _ path: String, headers: [String: String] = ["Accept": "application/json"], body: [UInt8]? = nil) throws -> Response {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:18083\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if let body, !headers.keys.contains("Content-Length") { head += "Content-Length: \(body.count)\r\n" }
        send(Array((head + "\r\n").utf8) + (body ?? []))
        return try response(isHead: method == "HEAD")
    }

    /// Reads one response. Throws `Closed` when the server hangs up before it is whole.
    func response(isHead: Bool = false) throws -> Response {
        while true {
            let status = try line().split(separator: " ")
            var response = Response(status: status.count > 1 ? Int(status[1]) ?? 0 : 0, headers: [], body: [])
            while case let line = try line(), !line.isEmpty {
                let parts = line.split(separator: ":", maxSplits: 1)
                response.headers.append((String(parts[0]), parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""))
            }
            if response.status == 100 { continue }
            if isHead || response.status == 204 { return response }
            if response.header("Transfer-Encoding") == "chunked" {
                while let size = Int(try line(), radix: 16), size > 0 {
                    response.body += try bytes(size)
                    _ = try line()
                }
                _ = try line()
            } else {
                response.body = try bytes(response.header("Content-Length").flatMap { Int($0) } ?? 0)
            }
            return response
        }
    }

    func line() throws -> String {
        while true {
            if let end = buffer.firstIndex(of: 10) {
                let line = buffer[..<end]
                buffer.removeSubrange(...end)
                return String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self)
            }
            try fill()
        }
    }

    func bytes(_ count: Int) throws -> [UInt8] {
        while buffer.count < count { try fill() }
        defer { buffer.removeFirst(count) }
        return Array(buffer[..<count])
    }

    private func fill() throws {
        var chunk = [UInt8](repeating: 0, count: 65536)
        let n = recv(descriptor, &chunk, chunk.count, 0)
        if n <= 0 { throw Closed() }
        buffer += chunk[..<n]
    }
}
