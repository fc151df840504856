package import ConnectAPI
import Synchronization

/// One producer's ordered way into the log, for one run of its task.
///
///     emit ─▶ append(frame) ─▶ PendingAppend … several under way … ─▶ durable()
///
/// The order of the calls is the order in the log (Invariant 3), whatever the order in which their answers are awaited. A group commit
/// makes several of them durable together. Once one fails, it and everything called after it fails with the same error, so that a position
/// never becomes durable without the records before it (Invariant 2).
package protocol Appender: Sendable {
    /// Takes the place of earlier runs of the producer: once it returns, nothing of them becomes durable any more, and positions may be read.
    func prepare() async throws
    /// Whether frames that failed may be given to the producer's next appender. False where another run may have come between: then the task
    /// begins again from the last durable position.
    var canBeReplaced: Bool { get }
    /// Takes a frame: all its batches and its position become durable together, or nothing. Encodes on the calling thread and never
    /// waits for the disk; the caller's byte budget bounds what is under way (Invariant 5).
    func append(_ frame: Frame) -> PendingAppend
    /// Makes a staged unit visible, in staging order, and moves the position, in one commit: a flip of marks, not a copy.
    func publish(unit: String, at position: SourcePosition) -> PendingAppend
    /// Nothing more of this appender gets into the log; what is under way fails where that is still possible (Invariant 7).
    func fence()
}

extension Appender {
    package func prepare() async throws {}
    package var canBeReplaced: Bool { true }
}

/// An append under way.
package final class PendingAppend: Sendable {
    private enum State {
        case pending([UInt64: CheckedContinuation<Void, any Error>])
        case done(Result<Void, any Error>)
    }
    private struct Box {
        var state = State.pending([:])
        var nextWaiter: UInt64 = 0
    }
    private let box = Mutex(Box())

    package init() {}

    /// Ends the wait; the first call decides.
    package func resolve(_ result: Result<Void, any Error>) {
        let waiting = box.withLock { box -> [CheckedContinuation<Void, any Error>] in
            guard case .pending(let waiting) = box.state else { return [] }
            box.state = .done(result)
            return Array(waiting.values)
        }
        for continuation in waiting { continuation.resume(with: result) }
    }

    /// Whether the answer is there: then `durable()` does not suspend.
    package var isDone: Bool {
        box.withLock { if case .done = $0.state { true } else { false } }
    }

    /// Returns when the frame is durable, throws why it is not. A cancelled wait throws `CancellationError`; the frame may become
    /// durable all the same.
    package func durable() async throws {
        let id = box.withLock { box in
            box.nextWaiter += 1
            return box.nextWaiter
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let answer = box.withLock { box -> Result<Void, any Error>? in
                    // Read with the lock held: the handler below runs after the mark is set, so one of the two sees the other.
                    switch box.state {
                    case .done(let result): return result
                    case .pending where Task.isCancelled: return .failure(CancellationError())
                    case .pending(var waiting):
                        waiting[id] = continuation
                        box.state = .pending(waiting)
                        return nil
                    }
                }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            let continuation = box.withLock { box -> CheckedContinuation<Void, any Error>? in
                guard case .pending(var waiting) = box.state else { return nil }
                let continuation = waiting.removeValue(forKey: id)
                box.state = .pending(waiting)
                return continuation
            }
            continuation?.resume(throwing: CancellationError())
        }
    }
}
