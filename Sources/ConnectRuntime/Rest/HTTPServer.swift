import CMicrohttpd
import ConnectAPI
import Glibc
import Synchronization

/// A small HTTP/1.1 server on libmicrohttpd: the daemon's one thread reads and writes sockets, handlers are Swift tasks.
///
///     socket ─▶ daemon thread: request line, head, body ─▶ connection suspended ─▶ stream of exchanges
///                                                                                      │ run(): one child task each,
///     socket ◀─ daemon thread ◀── connection resumed ◀── response, or the deadline's ◀─┘ owned by a task group
///
/// Limits hold before a handler sees anything: connections in all and from one address, bytes of head and body, and time. libmicrohttpd's
/// own time-out restarts with every byte, so a client that trickles is cut by a watchdog with deadlines for head and body as wholes.
/// Every request is answered within `requestDeadline`, whatever its handler does (Invariant 7).
package final class HTTPServer: Sendable {
    package typealias Handler = @Sendable (HTTPRequest) async -> HTTPResponse

    package struct Limits: Sendable {
        package var connections = 1024
        package var connectionsPerAddress = 256
        package var headBytes = 64 * 1024
        package var bodyBytes = 4 << 20
        /// From the connection's start, or the end of the response before, to the end of the request's head: also the longest idle keep-alive.
        package var headDeadline: Duration = .seconds(30)
        package var bodyDeadline: Duration = .seconds(30)
        package var requestDeadline: Duration = .seconds(90)
        /// How long running requests may take to end after a stop.
        package var stopGrace: Duration = .seconds(5)
        package init() {}
    }

    /// The port bound, also when 0 was asked for.
    package let port: UInt16
    package let host: String
    let limits: Limits
    let handler: Handler
    /// What a request is answered that took too long, and one whose body is too large.
    let deadlineAnswer: @Sendable () async -> HTTPResponse
    let tooLargeAnswer: HTTPResponse
    /// Whether clients must show a certificate that is trusted, or need one only if they show any; nil: they are not asked.
    let clientCertificates: ServerTLS.ClientAuthentication?
    let connections = HTTPConnectionTable()
    private let log = Logger("sluice.rest")

    private let exchanges: AsyncStream<HTTPExchange>
    private let running = Atomic<Int>(0)
    private let enqueue: AsyncStream<HTTPExchange>.Continuation
    // @unchecked: started in init, stopped once in run(); in between the daemon guards itself.
    private struct Daemon: @unchecked Sendable { let pointer: OpaquePointer }
    private let daemon = Mutex<Daemon?>(nil)

    /// Binds and starts to accept; requests are answered once `run` runs. Throws `rest.listen`.
    package init(
        host: String, port: UInt16, tls: ServerTLS? = nil, limits: Limits = Limits(),
        deadlineAnswer: @escaping @Sendable () async -> HTTPResponse = { HTTPResponse(500) },
        tooLargeAnswer: HTTPResponse = HTTPResponse(413), handler: @escaping Handler
    ) throws {
        self.host = host
        self.limits = limits
        self.handler = handler
        self.deadlineAnswer = deadlineAnswer
        self.tooLargeAnswer = tooLargeAnswer
        clientCertificates = tls?.trust == nil ? nil : tls?.clientAuthentication
        (exchanges, enqueue) = AsyncStream.makeStream()
        let socket = try ListeningSocket(host: host, port: port)
        self.port = socket.port
        // The daemon's callbacks hold this reference; `run` gives it back after the daemon has stopped.
        let me = Unmanaged.passRetained(self).toOpaque()
        let started = Self.withTexts(of: tls) { sluice_mhd_start(socket.descriptor, Self.callbacks(me), Self.daemonLimits(limits), $0) }
        guard let started else {
            Unmanaged<HTTPServer>.fromOpaque(me).release()
            close(socket.descriptor)
            throw ConnectorError(
                "rest.listen", .stop, "The HTTP daemon for \(host):\(port) did not start",
                hint: tls == nil ? nil : "Check that certificate and key are PEM and belong together, the key's password, and ssl.enabled.protocols")
        }
        daemon.withLock { $0 = Daemon(pointer: started) }
    }

    /// The texts of an identity as C strings, for as long as the body runs.
    private static func withTexts<R>(of tls: ServerTLS?, _ body: (sluice_mhd_tls) -> R) -> R {
        guard let tls else { return body(sluice_mhd_tls()) }
        func optional(_ text: String?, _ body: (UnsafePointer<CChar>?) -> R) -> R { text.map { $0.withCString(body) } ?? body(nil) }
        return tls.certificates.withCString { certificates in
            tls.key.value.withCString { key in
                tls.priorities.withCString { priorities in
                    optional(tls.keyPassword?.value) { password in
                        optional(tls.clientAuthentication == .none ? nil : tls.trust) { trust in
                            body(
                                sluice_mhd_tls(
                                    certificates: certificates, key: key, key_password: password, trust: trust, priorities: priorities))
                        }
                    }
                }
            }
        }
    }

    private static func daemonLimits(_ limits: Limits) -> sluice_mhd_limits {
        sluice_mhd_limits(
            connections: UInt32(limits.connections), connections_per_ip: UInt32(limits.connectionsPerAddress), connection_memory: limits.headBytes,
            inactivity_seconds: UInt32(max(1, limits.headDeadline.components.seconds)))
    }

    /// Serves until `stop`, then gives running requests `stopGrace` to end. Cancelling its task ends running requests at once.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.watch() }
            await withTaskCancellationHandler {
                for await exchange in exchanges {
                    running.add(1, ordering: .relaxed)
                    group.addTask {
                        await self.answer(exchange)
                        self.running.subtract(1, ordering: .relaxed)
                    }
                }
            } onCancel: {
                stop()
            }
            // No new connections; what is at work ends by itself, or is cancelled after the grace.
            let listener = daemon.withLock { $0.map { MHD_quiesce_daemon($0.pointer) } } ?? -1
            if listener >= 0 { close(listener) }
            let end = ContinuousClock.now + limits.stopGrace
            while running.load(ordering: .relaxed) > 0, ContinuousClock.now < end {
                connections.endStreams()
                guard (try? await Task.sleep(for: .milliseconds(10))) != nil else { break }
            }
            group.cancelAll()
        }
        stopDaemon()
    }

    /// Makes `run` return in order. Requests that arrive from now on are answered 503.
    package func stop() { enqueue.finish() }

    private func stopDaemon() {
        guard let stopped = daemon.withLock({ $0.take() }) else { return }
        MHD_stop_daemon(stopped.pointer)
        Unmanaged.passUnretained(self).release()
    }

    /// Called on the daemon's thread with the connection suspended. False: the server is stopping.
    func accept(_ exchange: HTTPExchange) -> Bool {
        if case .enqueued = enqueue.yield(exchange) { true } else { false }
    }

    private func answer(_ exchange: HTTPExchange) async {
        let request = exchange.request
        enum Ended { case handler, deadline }
        await withTaskGroup(of: Ended.self) { group in
            group.addTask {
                let response = await self.handler(request)
                guard exchange.respond(response), case .stream(let produce) = response.body, let writer = exchange.writer else { return .handler }
                do {
                    try await produce(writer)
                    writer.finish()
                } catch {
                    // The head is sent: cutting the body off is all that can be told. Mostly the client itself has left.
                    if !(error is CancellationError) { self.log.warn("\(request.method) \(request.rawPath): \(error)") }
                    writer.finish(failed: true)
                }
                return .handler
            }
            group.addTask {
                // A cancelled sleep means that the handler is done, or that the server stops and cancels the handler too.
                if (try? await Task.sleep(for: self.limits.requestDeadline)) != nil { exchange.respond(await self.deadlineAnswer()) }
                return .deadline
            }
            // A stream may outlive the deadline, which is for its beginning.
            while let ended = await group.next() { if ended == .handler || !exchange.isStreaming { group.cancelAll() } }
        }
    }

    /// Cuts connections whose head or body is late, four times a second.
    private func watch() async {
        while (try? await Task.sleep(for: .milliseconds(250))) != nil { connections.cutLate(limits) }
    }
}

/// A listening TCP socket.
private struct ListeningSocket {
    let descriptor: Int32
    let port: UInt16

    /// `host` is a name or an address; empty or `0.0.0.0` is every address.
    init(host: String, port: UInt16) throws {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host.isEmpty ? "0.0.0.0" : host, String(port), &hints, &found)
        defer { if found != nil { freeaddrinfo(found) } }
        // A name with both kinds of address, such as localhost, means the older one: it is what clients try, and what they did before.
        let addresses = sequence(first: found) { $0?.pointee.ai_next }.prefix { $0 != nil }.compactMap { $0 }
        guard code == 0, let address = addresses.first(where: { $0.pointee.ai_family == AF_INET }) ?? addresses.first else {
            throw ConnectorError(
                "rest.listen", .stop, "The listen address \(host) is not known: \(String(cString: gai_strerror(code)))",
                hint: "Check --listen or the worker key listeners")
        }
        let descriptor = Glibc.socket(address.pointee.ai_family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var on: Int32 = 1
        _ = setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        guard descriptor >= 0, bind(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0, listen(descriptor, 512) == 0 else {
            let reason = String(cString: strerror(errno))
            if descriptor >= 0 { close(descriptor) }
            throw ConnectorError(
                "rest.listen", .stop, "Cannot listen on \(host):\(port): \(reason)",
                hint: "Stop what uses the port, or choose another with --listen HOST:PORT")
        }
        var bound = sockaddr_storage(), size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        withUnsafeMutablePointer(to: &bound) {
            _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        self.descriptor = descriptor
        self.port = withUnsafeBytes(of: &bound) { UInt16(bigEndian: $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self)) }
    }
}
