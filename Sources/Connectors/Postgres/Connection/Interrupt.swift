import Glibc

/// Wakes a thread that waits in `poll` for a server: the way cancellation reaches a blocking C client (Invariant 7).
final class Interrupt: Sendable {
    /// Readable once fired.
    let descriptor: Int32
    private let writeEnd: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        let made = pipe(&ends)
        precondition(made == 0, "no pipe: \(errno)")
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        descriptor = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        close(descriptor)
        close(writeEnd)
    }

    /// From now on every wait on this interrupt ends at once.
    func fire() {
        var byte: UInt8 = 1
        _ = unsafe write(writeEnd, &byte, 1)
    }
}

/// Waits until the socket is ready, the deadline passes or the interrupt fires.
enum SocketWait {
    case ready, timedOut, interrupted

    static func poll(_ socket: Int32, _ events: Int32, _ interrupt: Interrupt, until deadline: ContinuousClock.Instant?) -> SocketWait {
        while true {
            var timeout: Int32 = -1
            if let deadline {
                let left = ContinuousClock.now.duration(to: deadline)
                if left <= .zero { timeout = 0 } else { timeout = Int32(clamping: left / .milliseconds(1) < 1 ? 1 : Int(left / .milliseconds(1))) }
            }
            var descriptors = [
                pollfd(fd: socket, events: Int16(events), revents: 0), pollfd(fd: interrupt.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            let ready = Glibc.poll(&descriptors, 2, timeout)
            if ready < 0 && errno == EINTR { continue }
            if descriptors[1].revents != 0 { return .interrupted }
            if descriptors[0].revents != 0 { return .ready }
            if ready == 0, let deadline, ContinuousClock.now >= deadline { return .timedOut }
        }
    }
}
