package import ConnectAPI
import Synchronization

/// Runs one sink task.
///
///     log ─▶ SinkReader ─▶ mailbox ─▶ main loop: open, write, flush ─▶ destination
///                                        └─ offsets the destination has ─▶ Log.commit, group connect-<name>
///
/// The main loop alone touches the task. A destination that is away holds the loop in a retry of the same batch, the reader stops at its
/// byte budget, and the sources go on: the log keeps what the sink has not taken.
package final class SinkWorker: TaskWorker {
    private let type: any SinkConnector.Type
    private let assignment: TaskAssignment
    private let services: TaskServices
    private let siblings: SinkSiblings
    private let gate: PauseGate
    private let log: Logger
    private let mailbox = SinkMailbox()
    private let fenced = Atomic<Bool>(false)
    package let counters = TaskCounters()

    /// `siblings` is shared by the tasks of one start of a connector.
    package init(_ type: any SinkConnector.Type, _ assignment: TaskAssignment, _ services: TaskServices, siblings: SinkSiblings) {
        self.type = type
        self.assignment = assignment
        self.services = services
        self.siblings = siblings
        gate = PauseGate(open: !assignment.startsPaused)
        if assignment.startsPaused { counters.update { $0.running.set(paused: true) } }
        log = assignment.logger("sluice.sink")
    }

    package func setPaused(_ paused: Bool) {
        counters.update { $0.running.set(paused: paused) }
        gate.set(open: !paused)
    }

    package func requestStop() {
        mailbox.push(.stop)
        // One that waits to be resumed for the first time must see the stop.
        gate.set(open: true)
    }

    package func fence() {
        fenced.store(true, ordering: .releasing)
        requestStop()
    }

    package func run() async {
        do {
            // A task that starts paused is not made before it is resumed.
            try await gate.pass()
            if !mailbox.isStopping { try await runUntilDone() }
        } catch  where error is CancellationError || mailbox.isStopping {
            log.debug("Stopped: \(error)")
        } catch {
            log.error("Task \(assignment.name) failed and is not restarted by itself: \(Trace.message(of: error))")
            let trace = Trace.text(error, wrapper: "Exiting WorkerSinkTask due to unrecoverable exception.")
            await assignment.onState(StoredStatus(.failed, trace: trace))
        }
    }

    /// A task whose destination has moved on without it is made anew, as often as it asks for it: it knows what to do then.
    private func runUntilDone() async throws {
        var backoff = Backoff(initial: .milliseconds(200), maximum: .seconds(30))
        while true {
            let start = ContinuousClock.now
            do {
                return try await type.runTask(self)
            } catch let error as ConnectorError where error.disposition == .restart && !mailbox.isStopping {
                if start.duration(to: .now) > .seconds(60) { backoff.reset() }
                let wait = backoff.next()
                log.warn("Task \(assignment.name) reads again from its committed offsets, in \(Int(wait.milliseconds)) ms: \(error)")
                mailbox.clear()
                counters.update {
                    $0.retries += 1
                    $0.active = 0
                }
                let deadline = ContinuousClock.now + wait
                while ContinuousClock.now < deadline, !mailbox.isStopping {
                    try await Task.sleep(for: min(.milliseconds(100), ContinuousClock.now.duration(to: deadline)))
                }
                if mailbox.isStopping { return }
            }
        }
    }

    fileprivate func run<C: SinkConnector>(_ type: C.Type) async throws {
        let errors = SinkErrors(assignment, services, counters, log)
        let scratch = "\(services.scratchDirectory)/\(assignment.connector.filePathComponent)/\(assignment.task)"
        try WorkerFile.makeDirectory(scratch)
        let context = TaskContext(
            connector: assignment.connector, task: assignment.task, log: log, metrics: assignment.metrics,
            memoryBudget: Int(services.worker.settings.taskMemory), scratchDirectory: scratch,
            reject: { [services] rejected in
                // The row as the log has it, for its original bytes.
                guard let stored = try await services.log.read(rejected.partition, from: rejected.offset, maxBytes: 1).first else { throw rejected.error }
                try await errors.handle(
                    FailedRecord(
                        stage: .taskPut, className: C.info.className, error: rejected.error, topic: rejected.partition.topic,
                        partition: rejected.partition.partition, offset: rejected.offset),
                    row: 0, of: stored)
            })
        let connector = try C(C.Configuration(assignment.config))
        let task = try await connector.makeTask(context)
        await assignment.onState(StoredStatus(.running))

        let budget = ByteBudget(capacity: Int(services.worker.settings.sinkReadAhead))
        let preparation = SinkPreparation(
            conversion: SinkConversion(services.worker.rendering(for: assignment.config), services),
            transforms: try services.transforms(assignment.config), errors: errors)
        let consumer = try services.log.consumer(
            for: SinkMember(
                connector: assignment.connector, task: assignment.task, config: assignment.config,
                subscription: try SinkSubscription(assignment.config), siblings: siblings))
        let reader = SinkReader(
            consumer, budget: budget, gate: gate, mailbox: mailbox, counters: counters, report: log,
            // The task runs on without the partition, and its status says so.
            onDamage: { [assignment] in await assignment.onState(StoredStatus(.running, trace: Trace.text($1, wrapper: "Partition \($0) was given up."))) },
            prepare: { try await preparation.prepare($0) })
        var loop = SinkLoop(
            task: task, className: C.info.className, connector: assignment.connector, consumer: consumer, reader: reader, mailbox: mailbox,
            budget: budget, errors: errors, counters: counters, report: log, settings: services.worker.settings, config: assignment.config,
            isFenced: { self.fenced.load(ordering: .acquiring) }, onTopic: assignment.onTopic)
        let result: Result<Void, any Error>
        do {
            try await withThrowingTaskGroup { group in
                group.addTask { await reader.run() }
                group.addTask { [mailbox] in
                    while !Task.isCancelled {
                        mailbox.push(.tick)
                        try? await Task.sleep(for: .milliseconds(500))
                        await consumer.keepAlive()
                    }
                }
                defer { group.cancelAll() }
                try await loop.run()
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await consumer.close()
        try result.get()
    }
}

/// What the tasks of one sink share.
package final class SinkSiblings: Sendable {
    let partitions: SinkPartitions
    package init(tasks: Int, config: [String: String]) { partitions = SinkPartitions(tasks: tasks, config: config) }
}

extension SinkConnector {
    fileprivate static func runTask(_ worker: SinkWorker) async throws { try await worker.run(self) }
}

/// From a stored batch to what the task takes: converters, transforms, bad rows taken out.
struct SinkPreparation: Sendable {
    let conversion: SinkConversion
    let transforms: @Sendable (TransformedBatch) throws -> [TransformedBatch]
    let errors: SinkErrors

    func prepare(_ stored: StoredBatch) async throws -> [ConsumedBatch] {
        let stage = TransformStage(
            retries: errors.tolerance.retries, onRetry: { [errors] in errors.counters.countRetry(of: $0, in: $1, errors.report) }
        ) { batch in
            let parts = try conversion.convert(batch.batch, rendered: stored.rendering)
            do {
                return try parts.flatMap { rows, converted in
                    var part = batch
                    part.batch = converted
                    guard parts.count > 1 else { return try transforms(part) }
                    part.firstOffset = batch.firstOffset.map { $0 + Int64(rows.lowerBound) }
                    return try transforms(part).map { result in
                        var result = result
                        result.origins = (result.origins ?? Array(0..<result.batch.count)).map { $0 + rows.lowerBound }
                        return result
                    }
                }
            } catch {
                throw SinkConversion.Failure(stage: .transformation, className: (error as? ConnectorError)?.code ?? "transforms", underlying: error)
            }
        }
        let batch = TransformedBatch(stored.batch, partition: stored.partition, firstOffset: stored.firstOffset)
        let outputs = try await stage.run(batch) { row, error in
            let failure = error as? SinkConversion.Failure
            try await errors.handle(
                FailedRecord(
                    stage: failure?.stage ?? .transformation, className: failure?.className ?? "transforms", error: failure?.underlying ?? error,
                    topic: stored.partition.topic, partition: stored.partition.partition, offset: stored.firstOffset + Int64(row)),
                row: row, of: stored)
        }
        return consumedBatches(outputs, of: stored)
    }
}
