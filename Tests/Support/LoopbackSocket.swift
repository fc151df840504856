import Foundation

/// Blocking sockets on 127.0.0.1 and as much HTTP/1.1 as the test servers need.
enum LoopbackSocket {
    static func listen() throws -> (socket: Int32, port: Int) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(port: 0), length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && Glibc.listen(listener, 256) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard bound else { throw Subprocess.Failure(command: "listen", status: errno, output: "no free port") }
        return (listener, Int(UInt16(bigEndian: address.sin_port)))
    }

    static func connect(port: Int) -> Int32? {
        let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(port: port)
        let connected = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0 }
        }
        if connected { return connection }
        close(connection)
        return nil
    }

    private static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    /// False when the other side is gone.
    @discardableResult static func send(_ socket: Int32, _ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let n = Glibc.send(socket, buffer.baseAddress! + done, buffer.count - done, Int32(MSG_NOSIGNAL))
                if n <= 0 { return false }
                done += n
            }
            return true
        }
    }

    /// Ends the connection with a reset instead of a farewell.
    static func reset(_ socket: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    static func answer(_ status: Int, _ headers: [String: String], _ body: String) -> [UInt8] {
        var head = "HTTP/1.1 \(status) Status\r\nContent-Length: \(body.utf8.count)\r\nContent-Type: application/xml\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        return Array("\(head)\r\n\(body)".utf8)
    }

    /// The first line, and headers by lower-case name.
    static func parse(_ head: [UInt8]) -> (line: String, headers: [String: String]) {
        let lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        }
        return (lines[0], headers)
    }

    struct Reader {
        private let socket: Int32
        private var buffer: [UInt8] = []

        init(_ socket: Int32) { self.socket = socket }

        private mutating func fill() -> Bool {
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            let n = recv(socket, &chunk, chunk.count, 0)
            guard n > 0 else { return false }
            buffer.append(contentsOf: chunk[0..<n])
            return true
        }

        private mutating func take(_ count: Int) -> [UInt8] {
            defer { buffer.removeFirst(count) }
            return Array(buffer[0..<count])
        }

        /// Up to and with an empty line; nil at the end.
        mutating func head() -> [UInt8]? {
            var from = 0
            while true {
                if buffer.count >= 4 {
                    for i in max(0, from - 3)...buffer.count - 4
                    where buffer[i] == 13 && buffer[i + 1] == 10 && buffer[i + 2] == 13 && buffer[i + 3] == 10 { return take(i + 4) }
                    from = buffer.count
                }
                if !fill() { return nil }
            }
        }

        mutating func body(_ count: Int) -> [UInt8]? {
            while buffer.count < count { if !fill() { return nil } }
            return take(count)
        }

        /// A chunked body as it is.
        mutating func chunks() -> [UInt8]? {
            var all: [UInt8] = []
            while true {
                var line: [UInt8] = []
                while line.suffix(2) != [13, 10] {
                    guard let next = body(1) else { return nil }
                    line += next
                }
                guard let size = Int(String(decoding: line.dropLast(2), as: UTF8.self), radix: 16), let chunk = body(size + 2) else { return nil }
                all += line + chunk
                if size == 0 { return all }
            }
        }

        mutating func waitForEnd() { while fill() { buffer.removeAll(keepingCapacity: true) } }
    }
}
