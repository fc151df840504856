import ConnectAPI
import Synchronization

/// A producer's way into the embedded log.
final class EmbeddedAppender: Appender {
    private let log: EmbeddedLog
    private let producer: Producer
    /// Why nothing more is taken. Shared with the jobs under way, which ask it when their turn comes.
    private final class Failure: Sendable {
        let error = Mutex<(any Error)?>(nil)
        func set(_ error: any Error) { self.error.withLock { if $0 == nil { $0 = error } } }
        var current: (any Error)? { error.withLock { $0 } }
    }
    private let failure = Failure()

    init(_ log: EmbeddedLog, _ producer: Producer) {
        self.log = log
        self.producer = producer
    }

    func append(_ frame: Frame) -> PendingAppend {
        let encoded: [EncodedBatch]
        do {
            encoded = try log.encode(frame.batches, producer.rendering)
        } catch {
            // It fails when its turn comes: what was called before it stays good.
            return submit(bytes: 0, refusal: error) { _ in }
        }
        return submit(bytes: encoded.reduce(0) { $0 + $1.blob.count }) { [producer] transaction in
            for batch in encoded { try transaction.append(batch) }
            if let position = frame.position { try transaction.move(to: position, connector: producer.connector) }
        }
    }

    func publish(unit: String, at position: SourcePosition) -> PendingAppend {
        submit(bytes: 0) { [producer] transaction in
            try transaction.publish(unit: unit, connector: producer.connector)
            try transaction.move(to: position, connector: producer.connector)
        }
    }

    func fence() { failure.set(ConnectorError("runtime.fenced", .stop, "The task of \(producer.connector) was stopped and may write no more")) }

    private func submit(
        bytes: Int, refusal: (any Error)? = nil, _ apply: @escaping @Sendable (inout LogTransaction) throws -> Void
    ) -> PendingAppend {
        let pending = PendingAppend(), failure = failure
        log.writer.submit(
            LogWriter.Job(
                bytes: bytes,
                obstacle: {
                    if let refusal { failure.set(refusal) }
                    return failure.current
                },
                apply: apply,
                done: { result in
                    if case .failure(let error) = result { failure.set(error) }
                    pending.resolve(result)
                }))
        return pending
    }
}
