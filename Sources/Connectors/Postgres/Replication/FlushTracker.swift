import Synchronization

/// Which LSN may be acknowledged: the end of the last transaction whose frame the log has made durable (Invariant 1).
///
/// The decoding task notes what each frame completes; the reader's thread asks whenever it reports to the server.
final class FlushTracker: Sendable {
    private struct State {
        var pending: [(frame: UInt64, lsn: UInt64)] = []
        var head = 0
        var flushed: UInt64
    }
    private let state: Mutex<State>

    init(flushed: UInt64) { state = Mutex(State(flushed: flushed)) }

    /// Once `frame` is durable, everything before `lsn` is.
    func note(frame: UInt64, completes lsn: UInt64) {
        state.withLock { state in
            if state.head < state.pending.count, state.pending[state.pending.count - 1].frame == frame {
                state.pending[state.pending.count - 1].lsn = lsn
            } else {
                state.pending.append((frame, lsn))
            }
        }
    }

    func flushed(durable: UInt64) -> UInt64 {
        state.withLock { state in
            while state.head < state.pending.count, state.pending[state.head].frame <= durable {
                state.flushed = max(state.flushed, state.pending[state.head].lsn)
                state.head += 1
            }
            if state.head > 1024 || state.head == state.pending.count {
                state.pending.removeFirst(state.head)
                state.head = 0
            }
            return state.flushed
        }
    }
}

/// A yes that is said once and seen by all.
final class Flag: Sendable {
    private let value = Mutex(false)
    var isSet: Bool { value.withLock { $0 } }
    func set() { value.withLock { $0 = true } }
}
