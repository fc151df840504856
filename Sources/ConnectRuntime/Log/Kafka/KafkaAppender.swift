import ConnectAPI

/// A producer's way into Kafka, for one run of its task.
final class KafkaAppender: Appender {
    private let log: KafkaLog
    private let writer: Result<KafkaWriter, any Error>
    private let epoch: UInt64

    init(_ log: KafkaLog, _ producer: Producer) {
        self.log = log
        writer = Result { try log.writers.use(producer) }
        epoch = (try? writer.get())?.open() ?? 0
    }

    deinit { if case .success(let writer) = writer { log.writers.leave(writer) } }

    func append(_ frame: Frame) -> PendingAppend {
        switch writer {
        case .success(let writer): return writer.submit(frame, epoch: epoch)
        case .failure(let error):
            let refused = PendingAppend()
            refused.resolve(.failure(error))
            return refused
        }
    }

    /// The unit's rows went out when they were staged; what is left is the position.
    func publish(unit: String, at position: SourcePosition) -> PendingAppend { append(Frame([], at: position)) }

    func fence() {
        guard case .success(let writer) = writer else { return }
        writer.fail(through: epoch, ConnectorError("runtime.fenced", .stop, "The task was stopped and may write no more"))
    }
}
