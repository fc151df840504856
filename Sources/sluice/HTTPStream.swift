import ConnectAPI
import Glibc

/// One GET over a plain socket, its body as it comes: what `tap` needs of HTTP and no more. Blocks the calling thread.
final class HTTPStream {
    let status: Int
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var chunked = false
    private var remaining: Int?
    private var ended = false

    init(base: String, path: String) throws {
        let (host, port) = try Self.address(base)
        descriptor = try Self.connect(host, port, base)
        let request = "GET \(path) HTTP/1.1\r\nHost: \(host):\(port)\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        guard Output.bytes(Array(request.utf8), to: descriptor) else { throw ConnectorError("tap.connection", .stop, "The connection to \(base) broke") }
        var head: [UInt8] = [], found: Int?
        while found == nil {
            guard let part = Self.receive(descriptor), head.count < 1 << 16 else {
                throw ConnectorError("tap.connection", .stop, "\(base) does not answer as an HTTP server does")
            }
            head += part
            found = head.indices.dropLast(3).first { head[$0...].starts(with: [13, 10, 13, 10]) }
        }
        let lines = String(decoding: head[..<found!], as: UTF8.self).split(separator: "\r\n")
        status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingSpaces().lowercased() }
            guard parts.count == 2 else { continue }
            if parts[0] == "transfer-encoding", parts[1] == "chunked" { chunked = true }
            if parts[0] == "content-length" { remaining = Int(parts[1]) }
        }
        buffer = Array(head[(found! + 4)...])
    }

    deinit { close(descriptor) }

    /// The next bytes of the body; nil at its end.
    func next() throws -> [UInt8]? {
        if ended { return nil }
        if chunked { return try nextChunk() }
        if remaining == 0 { return nil }
        let part = buffer.isEmpty ? Self.receive(descriptor) : buffer
        buffer = []
        if let part, let left = remaining { remaining = max(0, left - part.count) }
        return part
    }

    private func nextChunk() throws -> [UInt8]? {
        while true {
            if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                let size = String(decoding: buffer[..<end], as: UTF8.self).split(separator: ";").first.map { $0.trimmingSpaces() } ?? ""
                guard let count = Int(size, radix: 16), count >= 0, count < 1 << 30 else { throw Self.broken }
                if count == 0 {
                    ended = true
                    return nil
                }
                let start = end + 1
                if buffer.count >= start + count + 2 {
                    defer { buffer.removeFirst(start + count + 2) }
                    return Array(buffer[start..<start + count])
                }
            }
            guard let part = Self.receive(descriptor) else { throw Self.broken }
            buffer += part
        }
    }

    private static let broken = ConnectorError("tap.connection", .stop, "The worker cut the answer off", hint: "Its log says why")

    private static func address(_ base: String) throws -> (host: String, port: String) {
        guard base.hasPrefix("http://") else { throw UsageError("--url takes http://HOST:PORT, not '\(base)'") }
        var rest = base.dropFirst(7).prefix { $0 != "/" }[...]
        guard rest.first == "[" else {
            let parts = rest.split(separator: ":", maxSplits: 1)
            guard let host = parts.first else { throw UsageError("--url takes http://HOST:PORT, not '\(base)'") }
            return (String(host), parts.count > 1 ? String(parts[1]) : "80")
        }
        rest = rest.dropFirst()
        let host = rest.prefix { $0 != "]" }, port = rest.dropFirst(host.count + 1)
        return (String(host), port.first == ":" ? String(port.dropFirst()) : "80")
    }

    private static func connect(_ host: String, _ port: String, _ base: String) throws -> Int32 {
        var hints = addrinfo(), list: UnsafeMutablePointer<addrinfo>?
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        let problem = unsafe getaddrinfo(host, port, &hints, &list)
        guard problem == 0 else { throw ConnectorError("tap.host", .stop, "\(host) is no known host: \(unsafe String(cString: gai_strerror(problem)))") }
        defer { unsafe freeaddrinfo(list) }
        var each = unsafe list
        while let entry = unsafe each {
            let descriptor = unsafe socket(entry.pointee.ai_family, entry.pointee.ai_socktype, 0)
            if descriptor >= 0 {
                if unsafe Glibc.connect(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0 { return descriptor }
                close(descriptor)
            }
            unsafe each = entry.pointee.ai_next
        }
        throw ConnectorError(
            "tap.refused", .stop, "No worker answers at \(base)",
            hint: "Start one with 'sluice run', give its address with --url, or read the log with --data-dir")
    }

    /// nil at the end of the stream.
    private static func receive(_ descriptor: Int32) -> [UInt8]? {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let n = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            if n > 0 { return Array(chunk[..<n]) }
            if n < 0, errno == EINTR { continue }
            return nil
        }
    }
}
