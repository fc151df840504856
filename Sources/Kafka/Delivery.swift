internal import CRdKafka
package import ConnectAPI
import Synchronization

/// A batch under way: keeps its bytes where librdkafka reads them, counts its messages' reports and answers once.
final class Delivery: Sendable {
    let batch: KafkaBatch
    private let outstanding: Atomic<Int>
    private let failure = Mutex<ConnectorError?>(nil)
    private let last = Mutex<(partition: Int32, next: Int64)?>(nil)
    private var topic: String { batch.topic }
    private let done: @Sendable (Result<Void, ConnectorError>) -> Void

    init(_ batch: KafkaBatch, done: @escaping @Sendable (Result<Void, ConnectorError>) -> Void) {
        outstanding = Atomic(batch.count)
        self.batch = batch
        self.done = done
    }

    /// The first failure is the batch's; being given up counts only where nothing else went wrong.
    func fail(_ code: rd_kafka_resp_err_t, bytes: Int, fatal: ConnectorError?) {
        // A transactional client takes no more records of a transaction that must be aborted.
        if code == RD_KAFKA_RESP_ERR__STATE, fatal == nil {
            return fail(ConnectorError(KafkaError.abortable, .retry, "Could not write to topic \(topic): the transaction must be aborted"))
        }
        let size = code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? "write a record of \(bytes) bytes to topic \(topic)" : "write to topic \(topic)"
        fail(fatal ?? KafkaError.make(code, size))
    }

    func fail(_ error: any Error) {
        let error = error as? ConnectorError ?? ConnectorError("kafka.failed", .stop, "Could not write to topic \(topic)", underlying: error)
        failure.withLock { known in if known == nil || known?.code == KafkaError.abandoned { known = error } }
    }

    /// Where a message was written.
    func note(partition: Int32, offset: Int64) { last.withLock { $0 = (partition, offset + 1) } }
    /// The offset behind the message that was reported last, and its partition.
    var end: (TopicPartition, Int64)? { last.withLock { $0 }.map { (TopicPartition(topic, $0.partition), $0.next) } }

    /// `count` messages are settled; with the last one the batch is answered and `opaque` released.
    func report(_ count: Int, _ opaque: UnsafeMutableRawPointer) {
        guard count > 0, outstanding.subtract(count, ordering: .acquiringAndReleasing).newValue == 0 else { return }
        finish()
        Unmanaged<Delivery>.fromOpaque(opaque).release()
    }

    func finish() { done(failure.withLock { $0 }.map { .failure($0) } ?? .success(())) }
}

/// Waits for a number of answers; throws the first failure once all are there.
package final class Answers: Sendable {
    private struct State {
        var missing: Int
        var failure: ConnectorError?
        var waiter: CheckedContinuation<Void, any Error>?
    }
    private let state: Mutex<State>

    package init(expected: Int = 0) { state = Mutex(State(missing: expected)) }

    /// One more.
    package func expect() { state.withLock { $0.missing += 1 } }

    /// Being given up counts only where nothing else went wrong.
    package func add(_ result: Result<Void, ConnectorError>) {
        let resumed = state.withLock { state -> (CheckedContinuation<Void, any Error>, ConnectorError?)? in
            state.missing -= 1
            if case .failure(let error) = result, state.failure == nil || state.failure?.code == KafkaError.abandoned { state.failure = error }
            guard state.missing == 0, let waiter = state.waiter else { return nil }
            state.waiter = nil
            return (waiter, state.failure)
        }
        guard let (waiter, failure) = resumed else { return }
        if let failure { waiter.resume(throwing: failure) } else { waiter.resume() }
    }

    package func wait() async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let answer = state.withLock { state -> Result<Void, any Error>? in
                guard state.missing == 0 else {
                    state.waiter = continuation
                    return nil
                }
                return state.failure.map { .failure($0) } ?? .success(())
            }
            if let answer { continuation.resume(with: answer) }
        }
    }
}

/// The end of a thread, to be waited for.
final class PendingEnd: Sendable {
    private let state = Mutex<(ended: Bool, waiters: [CheckedContinuation<Void, Never>])>((false, []))

    func finish() {
        let waiters = state.withLock { state in
            state.ended = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let now = state.withLock { state in
                if !state.ended { state.waiters.append(continuation) }
                return state.ended
            }
            if now { continuation.resume() }
        }
    }
}
