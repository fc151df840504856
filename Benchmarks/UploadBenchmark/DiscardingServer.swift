import Glibc

/// As much of S3 as an upload needs, without keeping a byte: a thread a connection.
struct DiscardingServer {
    func run() -> Never {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in(), length = socklen_t(MemoryLayout<sockaddr_in>.size)
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                precondition(bind(listener, $0, length) == 0 && listen(listener, 64) == 0 && getsockname(listener, $0, &length) == 0, "no port")
            }
        }
        print(UInt16(bigEndian: address.sin_port))
        fflush(nil)
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0 else { continue }
            var thread = pthread_t()
            pthread_create(
                &thread, nil,
                {
                    serve(Int32(Int(bitPattern: $0) - 1)); return nil
                }, UnsafeMutableRawPointer(bitPattern: Int(client) + 1))
            pthread_detach(thread)
        }
    }
}

private func serve(_ client: Int32) {
    var buffer = [UInt8](repeating: 0, count: 1 << 20), held = 0
    defer { close(client) }
    while true {
        // The head of a request, then its body without looking at it.
        var end = -1
        while end < 0 {
            let n = buffer.withUnsafeMutableBytes { recv(client, $0.baseAddress! + held, $0.count - held, 0) }
            guard n > 0 else { return }
            held += n
            for i in 0..<max(0, held - 3) where buffer[i] == 13 && buffer[i + 1] == 10 && buffer[i + 2] == 13 && buffer[i + 3] == 10 {
                end = i + 4
                break
            }
        }
        let head = String(decoding: buffer[0..<end], as: UTF8.self)
        let lines = head.split(whereSeparator: \.isNewline).map { $0.lowercased() }
        let size = lines.first { $0.hasPrefix("content-length:") }.flatMap { Int($0.dropFirst(15).filter(\.isNumber)) } ?? 0
        if lines.contains(where: { $0.hasPrefix("expect:") }) { answer(client, "HTTP/1.1 100 Continue\r\n\r\n") }
        var rest = size - (held - end)
        held = 0
        while rest > 0 {
            let n = buffer.withUnsafeMutableBytes { recv(client, $0.baseAddress!, min($0.count, rest), 0) }
            guard n > 0 else { return }
            rest -= n
        }
        let body = head.hasPrefix("POST") ? "<R><UploadId>u</UploadId></R>" : ""
        answer(client, "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }
}

private func answer(_ client: Int32, _ text: String) {
    let bytes = Array(text.utf8)
    _ = bytes.withUnsafeBytes { send(client, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL)) }
}
