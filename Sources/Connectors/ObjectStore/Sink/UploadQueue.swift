import Synchronization

/// Lets whole files go a few at a time, in the order they ended, so that ten thousand files that end together wait as bytes and not as so many
/// half-sent requests. A file never waits for one that ended after it, so one that waits for its predecessor holds nobody up for good.
final class UploadQueue: Sendable {
    private struct State {
        var turns = 0
        /// Turns below this one have come.
        var limit = UploadQueue.width
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    }
    /// More than the threads that send, so that these are never idle.
    private static let width = 32
    private let state = Mutex(State())

    func turn() -> Int {
        state.withLock { state in
            state.turns += 1
            return state.turns - 1
        }
    }

    /// Returns when the turn has come. Not ended by cancellation: those before it are cancelled too, and leave.
    func wait(for turn: Int) async {
        await withCheckedContinuation { continuation in
            let comes = state.withLock { state in
                if turn < state.limit { return true }
                state.waiting[turn] = continuation
                return false
            }
            if comes { continuation.resume() }
        }
    }

    /// Every turn that came leaves once.
    func leave() {
        state.withLock { state in
            state.limit += 1
            return state.waiting.removeValue(forKey: state.limit - 1)
        }?.resume()
    }
}
