import CMicrohttpd
import Glibc
import Synchronization

/// One request and its response on their way between the daemon's thread and a handler's task.
///
/// The daemon's thread fills `request` until it suspends the connection and hands the exchange over; from then on the fields are only read,
/// and the response passes through a mutex. The daemon holds one reference, from the request line to the completion callback.
// @unchecked: the hand-over through the exchange stream, and back through MHD_resume_connection, orders all access to the plain fields.
final class HTTPExchange: @unchecked Sendable {
    let server: HTTPServer
    let connection: OpaquePointer
    let target: String
    private(set) var request: HTTPRequest
    private var bodyCount = 0
    private var hasHead = false
    private var isHandedOver = false
    /// Set before the response is queued when its body is a stream.
    private(set) var writer: HTTPBodyWriter?
    private let answer = Mutex<HTTPResponse?>(nil)

    init(_ server: HTTPServer, _ connection: OpaquePointer, target: String) {
        self.server = server
        self.connection = connection
        self.target = target
        request = HTTPRequest(method: "", target: target)
    }

    var isStreaming: Bool { writer != nil }

    /// The first answer counts; true when it was this one.
    @discardableResult
    func respond(_ response: HTTPResponse) -> Bool {
        let isFirst = answer.withLock { answer in
            if answer != nil { return false }
            if case .stream = response.body { writer = HTTPBodyWriter() }
            answer = response
            return true
        }
        if isFirst { MHD_resume_connection(connection) }
        return isFirst
    }

    // MARK: - On the daemon's thread

    /// One call of the access handler: the head, then pieces of the body, then the end; then again once a response is there.
    func proceed(method: UnsafePointer<CChar>, data: UnsafePointer<CChar>?, size: UnsafeMutablePointer<Int>) -> MHD_Result {
        let table = server.connections, id = UInt(bitPattern: sluice_mhd_socket_context(connection))
        if !hasHead {
            hasHead = true
            request = HTTPRequest(method: String(cString: method), target: target, headers: Self.headers(of: connection))
            table.moved(id, to: .body)
            if let refusal = certificateRefusal { return send(refusal) }
            if let length = request.header("content-length"), UInt(length).map({ $0 > UInt(server.limits.bodyBytes) }) ?? true {
                return send(server.tooLargeAnswer)
            }
            return .YES
        }
        if size.pointee > 0, let data {
            bodyCount += size.pointee
            // Past the limit the rest is read and dropped, within the body's deadline: the daemon takes an answer only at the end.
            if bodyCount <= server.limits.bodyBytes {
                request.body.append(contentsOf: UnsafeRawBufferPointer(start: data, count: size.pointee))
            } else {
                request.body = []
            }
            size.pointee = 0
            return .YES
        }
        if let response = answer.withLock({ $0 }) {
            table.moved(id, to: writer == nil ? .handler : .streaming, writer: writer)
            return send(response)
        }
        if bodyCount > server.limits.bodyBytes { return send(server.tooLargeAnswer) }
        guard !isHandedOver else { return .YES }
        isHandedOver = true
        table.moved(id, to: .handler)
        MHD_suspend_connection(connection)
        if !server.accept(self) {
            // Stopping: the connection must not stay suspended, or the daemon cannot stop.
            respond(HTTPResponse(503, headers: [("Connection", "close")]))
        }
        return .YES
    }

    /// The answer to a client without the certificate it needs.
    private var certificateRefusal: HTTPResponse? {
        guard let asked = server.clientCertificates, asked != .none else { return nil }
        switch sluice_mhd_client_certificate(connection) {
        case 1: return nil
        case 0 where asked == .requested: return nil
        case 0: return RestError.response(403, "A client certificate is required (ssl.client.auth=required)")
        default: return RestError.response(403, "The client certificate is not signed by anyone in the truststore")
        }
    }

    private func send(_ response: HTTPResponse) -> MHD_Result {
        let message: OpaquePointer?
        switch response.body {
        case .bytes(var bytes):
            message = bytes.withUnsafeMutableBytes { MHD_create_response_from_buffer($0.count, $0.baseAddress, .RESPMEM_MUST_COPY) }
        case .stream:
            message = MHD_create_response_from_callback(.max, 16 * 1024, Self.readStream, Unmanaged.passRetained(self).toOpaque(), Self.endStream)
        }
        guard let message else { return .NO }
        defer { MHD_destroy_response(message) }
        for (name, value) in response.headers { MHD_add_response_header(message, name, value) }
        return MHD_queue_response(connection, UInt32(response.status), message)
    }

    private static let readStream: MHD_ContentReaderCallback = { exchange, _, buffer, count in
        let exchange = Unmanaged<HTTPExchange>.fromOpaque(exchange!).takeUnretainedValue()
        return exchange.writer!.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: count), of: exchange.connection)
    }
    private static let endStream: MHD_ContentReaderFreeCallback = { exchange in
        Unmanaged<HTTPExchange>.fromOpaque(exchange!).takeRetainedValue().writer!.close()
    }

    private static func headers(of connection: OpaquePointer) -> [(name: String, value: String)] {
        final class Box { var headers: [(name: String, value: String)] = [] }
        let box = Box()
        MHD_get_connection_values(
            connection, .HEADER_KIND,
            { box, _, name, value in
                guard let box, let name else { return .YES }
                Unmanaged<Box>.fromOpaque(box).takeUnretainedValue().headers.append(
                    (String(cString: name).lowercased(), value.map { String(cString: $0) } ?? ""))
                return .YES
            }, Unmanaged.passUnretained(box).toOpaque())
        return box.headers
    }
}

extension HTTPServer {
    /// The daemon's way into Swift. `me` is a retained server; `connection contexts` are numbers of the table, `request contexts` retained exchanges.
    static func callbacks(_ me: UnsafeMutableRawPointer) -> sluice_mhd_callbacks {
        sluice_mhd_callbacks(
            access: { _, _, _, method, _, data, size, context in
                guard let exchange = context?.pointee, let method, let size else { return .NO }
                return Unmanaged<HTTPExchange>.fromOpaque(exchange).takeUnretainedValue().proceed(method: method, data: data, size: size)
            },
            completed: { _, connection, context, _ in
                guard let exchange = context?.pointee else { return }
                context?.pointee = nil
                let ended = Unmanaged<HTTPExchange>.fromOpaque(exchange).takeRetainedValue()
                ended.server.connections.moved(UInt(bitPattern: sluice_mhd_socket_context(connection)), to: .head)
            },
            connection: { server, connection, context, event in
                guard let server, let connection, let context else { return }
                let table = Unmanaged<HTTPServer>.fromOpaque(server).takeUnretainedValue().connections
                if event.rawValue == 0 {
                    context.pointee = UnsafeMutableRawPointer(bitPattern: table.opened(sluice_mhd_socket(connection)))
                } else {
                    table.closed(UInt(bitPattern: context.pointee))
                }
            },
            uri: { server, target, connection in
                guard let server, let target, let connection else { return nil }
                let exchange = HTTPExchange(
                    Unmanaged<HTTPServer>.fromOpaque(server).takeUnretainedValue(), connection, target: String(cString: target))
                return Unmanaged.passRetained(exchange).toOpaque()
            },
            // Paths and queries stay as they came: they are decoded after routing.
            unescape: { _, _, text in text.map { strlen($0) } ?? 0 },
            cls: me)
    }
}
