import ConnectAPI
import Synchronization

/// Reads a sink task's partitions ahead of its main loop, within a byte budget.
///
///     LogConsumer.next ─▶ byte budget ─▶ converters, where they differ ─▶ transforms ─▶ mailbox
///
/// What the consumer says of partitions goes to the main loop in the order of the records around it. A partition whose stored bytes are damaged
/// stops and is reported; the others go on, and the task fails only when none is left.
final class SinkReader: Sendable {
    private let consumer: any LogConsumer
    private let budget: ByteBudget
    private let gate: PauseGate
    private let mailbox: SinkMailbox
    private let prepare: @Sendable (StoredBatch) async throws -> [ConsumedBatch]
    /// Told of each partition that stops.
    private let onDamage: @Sendable (TopicPartition, ConnectorError) async -> Void
    private let counters: TaskCounters
    private let report: Logger
    private let lastEnds = Mutex<[TopicPartition: Int64]>([:])

    init(
        _ consumer: any LogConsumer, budget: ByteBudget, gate: PauseGate, mailbox: SinkMailbox, counters: TaskCounters, report: Logger,
        onDamage: @escaping @Sendable (TopicPartition, ConnectorError) async -> Void = { _, _ in },
        prepare: @escaping @Sendable (StoredBatch) async throws -> [ConsumedBatch]
    ) {
        self.consumer = consumer
        self.budget = budget
        self.gate = gate
        self.mailbox = mailbox
        self.counters = counters
        self.report = report
        self.onDamage = onDamage
        self.prepare = prepare
    }

    /// The ends of the partitions, as last seen.
    var ends: [TopicPartition: Int64] { lastEnds.withLock { $0 } }

    /// Reads until cancelled; anything else that ends it is told to the mailbox.
    func run() async {
        var waiting: ArraySlice<LogConsumerEvent> = []
        var backoff = Backoff(initial: .milliseconds(200), maximum: .seconds(10))
        while !Task.isCancelled {
            do {
                try await gate.pass()
                if let event = waiting.first {
                    try await take(event)
                    waiting.removeFirst()
                } else {
                    waiting = try await consumer.next(timeout: .seconds(1))[...]
                    let ends = await consumer.ends()
                    lastEnds.withLock { $0 = ends }
                }
                backoff.reset()
            } catch is CancellationError {
                return
            } catch let error as ConnectorError where error.disposition == .retry {
                let wait = backoff.next()
                counters.update { $0.retries += 1 }
                report.warn("Could not read the log, trying again in \(Int(wait.milliseconds)) ms: \(error)")
                try? await Task.sleep(for: wait)
            } catch {
                return mailbox.push(.failed(error))
            }
        }
    }

    private func take(_ event: LogConsumerEvent) async throws {
        switch event {
        case .assigned(let partitions): mailbox.push(.assigned(partitions))
        case .revoked(let partitions, let lost): mailbox.push(.revoked(partitions, lost: lost))
        case .records(let stored): try await deliver(stored)
        case .damaged(let damage): try await stop(damage)
        }
    }

    private func deliver(_ stored: StoredBatch) async throws {
        let bytes = stored.memory
        // Invariant 5: what is read ahead fits the budget; the main loop gives it back.
        try await budget.acquire(bytes)
        let batches: [ConsumedBatch]
        do {
            batches = try await prepare(stored)
        } catch {
            budget.release(bytes)
            throw error
        }
        counters.update {
            $0.polled += Int64(stored.batch.count)
            $0.activate(Int64(stored.batch.count))
        }
        mailbox.push(.delivery(.init(stored: stored, batches: batches, next: stored.endOffset, bytes: bytes)))
    }

    private func stop(_ damage: DamagedPartition) async throws {
        let located = ConnectorError(
            damage.error.code, .stop, "\(damage.partition) stops at offset \(damage.offset): \(damage.error.message)",
            hint: "Restore the data directory, or skip the damage with PATCH /connectors/NAME/offsets", underlying: damage.error)
        counters.update { $0.stoppedPartitions += 1 }
        report.error("\(Trace.message(of: located))")
        if damage.isLast { throw located }
        await onDamage(damage.partition, located)
    }
}
