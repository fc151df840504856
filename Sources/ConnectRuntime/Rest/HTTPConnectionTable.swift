import CMicrohttpd
import Glibc
import Synchronization

/// The open connections and how far each has come, so that the watchdog can cut the ones that trickle.
final class HTTPConnectionTable: Sendable {
    enum Phase { case head, body, handler, streaming }
    private struct Entry {
        let socket: Int32
        var phase: Phase
        var since: ContinuousClock.Instant
        var writer: HTTPBodyWriter?
    }
    private let entries = Mutex<(next: UInt, open: [UInt: Entry])>((1, [:]))

    func opened(_ socket: Int32) -> UInt {
        entries.withLock { table in
            let id = table.next
            table.next += 1
            table.open[id] = Entry(socket: socket, phase: .head, since: .now)
            return id
        }
    }

    func moved(_ id: UInt, to phase: Phase, writer: HTTPBodyWriter? = nil) {
        entries.withLock { table in
            guard table.open[id] != nil else { return }
            table.open[id]!.phase = phase
            table.open[id]!.since = .now
            table.open[id]!.writer = writer
        }
    }

    /// Called before the daemon closes the socket: afterwards nobody touches its number.
    func closed(_ id: UInt) { entries.withLock { $0.open[id] = nil } }

    var count: Int { entries.withLock { $0.open.count } }

    /// Shuts down the sockets of connections past their deadline, and tells streams whose client has gone. The lock is held meanwhile, so that
    /// a socket's number cannot have been given to another file.
    func cutLate(_ limits: HTTPServer.Limits) {
        let now = ContinuousClock.now
        let gone: [HTTPBodyWriter] = entries.withLock { table in
            var gone: [HTTPBodyWriter] = []
            for entry in table.open.values {
                switch entry.phase {
                case .head: if now - entry.since > limits.headDeadline { shutdown(entry.socket, Int32(SHUT_RDWR)) }
                case .body: if now - entry.since > limits.bodyDeadline { shutdown(entry.socket, Int32(SHUT_RDWR)) }
                case .handler: break
                case .streaming:
                    var byte: UInt8 = 0
                    let count = recv(entry.socket, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
                    let hasLeft = count == 0 || count < 0 && errno != EAGAIN && errno != EINTR
                    if hasLeft, let writer = entry.writer { gone.append(writer) }
                }
            }
            return gone
        }
        for writer in gone { writer.abandon() }
    }

    /// Ends every streamed response: a stream has no end of its own that a stop could wait for.
    func endStreams() {
        for writer in entries.withLock({ $0.open.values.compactMap(\.writer) }) { writer.abandon() }
    }
}
