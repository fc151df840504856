package import ConnectAPI
import Synchronization

/// Runs one source task: makes it where the log says it stands, gives it a way into the log, and makes it anew when it asks for a retry.
///
///     positions of the log ─▶ makeTask ─▶ run(output) ─┬─ cancelled: what was emitted becomes durable, the end
///                                ▲                      ├─ .retry: back-off ─┐
///                                └──────────────────────┼────────────────────┘
///                                                       ├─ returns: end of its data, stays RUNNING
///                                                       └─ throws: FAILED with a trace
package final class SourceWorker: TaskWorker {
    private struct Running {
        var task: Task<Void, any Error>?
        var output: LogOutput?
        var stopping = false
    }

    private let type: any SourceConnector.Type
    private let assignment: TaskAssignment
    private let services: TaskServices
    private let gate: PauseGate
    private let log: Logger
    private let running = Mutex(Running())
    package let counters = TaskCounters()

    package init(_ type: any SourceConnector.Type, _ assignment: TaskAssignment, _ services: TaskServices) {
        self.type = type
        self.assignment = assignment
        self.services = services
        gate = PauseGate(open: !assignment.startsPaused)
        if assignment.startsPaused { counters.update { $0.running.set(paused: true) } }
        log = assignment.logger("sluice.source")
    }

    package func setPaused(_ paused: Bool) {
        counters.update { $0.running.set(paused: paused) }
        gate.set(open: !paused)
    }

    package func requestStop() {
        running.withLock { running in
            running.stopping = true
            return running.task
        }?.cancel()
    }

    package func fence() {
        requestStop()
        running.withLock { $0.output }?.fence()
    }

    package func run() async {
        let task = Task { try await self.runs() }
        if running.withLock({ running in
            running.task = task
            return running.stopping
        }) {
            task.cancel()
        }
        do {
            try await task.value
        } catch  where running.withLock({ $0.stopping }) || error is CancellationError {
            // Stopped in order; what the task threw on its way out is the stop's echo.
            log.debug("Stopped: \(error)")
        } catch {
            let trace = Trace.text(error)
            log.error("Task \(assignment.name) failed and is not restarted by itself: \(Trace.message(of: error))")
            await assignment.onState(StoredStatus(.failed, trace: trace))
        }
    }

    private func runs() async throws {
        // A task that starts paused is not made before it is resumed.
        try await gate.pass()
        let config = assignment.config
        func milliseconds(_ key: String, _ otherwise: Int64) -> Duration {
            .milliseconds(config[key].flatMap { Int64($0.trimmingSpaces()) } ?? otherwise)
        }
        let retries = config["errors.max.retries"].flatMap { Int($0.trimmingSpaces()) } ?? -1
        var backoff = Backoff(initial: milliseconds("errors.retry.delay.initial.ms", 300), maximum: milliseconds("errors.retry.delay.max.ms", 10_000))
        while true {
            let output = try makeOutput()
            if running.withLock({ running in
                running.output = output
                return running.stopping
            }) {
                throw CancellationError()
            }
            let result = await runOnce(output)
            if case .success = result {
                // A log that failed under the last frames is a failure all the same.
                try await output.flush()
                log.info("Task \(assignment.name) has read all of its data")
                try await Task.sleep(for: .seconds(Int64(100) * 365 * 86_400))
            }
            guard case .failure(let error) = result else { continue }
            if output.durable > 0 { backoff.reset() }
            guard let known = error as? ConnectorError, known.disposition == .retry, !Task.isCancelled, retries < 0 || backoff.attempts < retries
            else { throw error }
            let wait = backoff.next()
            counters.update { $0.retries += 1 }
            log.warn("Task \(assignment.name) starts again in \(Int(wait.milliseconds)) ms: \(known)")
            try await Task.sleep(for: wait)
        }
    }

    private func makeOutput() throws -> LogOutput {
        let tolerance = ErrorTolerance(assignment.config)
        let stage = TransformStage(
            retries: tolerance.retries, onRetry: { [counters, log] in counters.countRetry(of: $0, in: $1, log) },
            apply: try services.transforms(assignment.config))
        return LogOutput(
            log: services.log,
            producer: Producer(
                connector: assignment.connector, task: assignment.task, rendering: services.worker.rendering(for: assignment.config),
                config: assignment.config, epoch: assignment.epoch),
            budget: services.sourceBudget, transforms: stage, tolerance: tolerance, counters: counters, gate: gate, report: log, onTopic: assignment.onTopic)
    }

    private func runOnce(_ output: LogOutput) async -> Result<Void, any Error> {
        do {
            try await output.open()
        } catch {
            return .failure(error)
        }
        let drain = Task { await output.drain() }
        let result: Result<Void, any Error>
        do {
            try await type.runTask(assignment, services, output, log)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        output.finish()
        await drain.value
        await output.abandonUnits()
        return result
    }
}

extension SourceConnector {
    /// Makes a task where the log says the connector stands, and runs it.
    fileprivate static func runTask(_ assignment: TaskAssignment, _ services: TaskServices, _ output: LogOutput, _ log: Logger) async throws {
        let scratch = "\(services.scratchDirectory)/\(assignment.connector.filePathComponent)/\(assignment.task)"
        try WorkerFile.makeDirectory(scratch)
        let context = TaskContext(
            connector: assignment.connector, task: assignment.task, log: log, metrics: assignment.metrics,
            memoryBudget: Int(services.worker.settings.taskMemory), scratchDirectory: scratch, reject: { throw $0.error })
        let positions = try await services.log.sourcePositions(of: assignment.connector)
        let connector = try Self(Configuration(assignment.config))
        var task = try await connector.makeTask(assignment.taskConfig, resumingAt: positions, context)
        await assignment.onState(StoredStatus(.running))
        try await task.run(output)
    }
}

extension String {
    /// The same name as one component of a path: other than letters, digits, `-`, `_` and `.` is written `%XX`.
    package var filePathComponent: String {
        var out = ""
        for byte in utf8 {
            let c = Character(Unicode.Scalar(byte))
            if byte < 128, c.isLetter || c.isNumber || "-_".contains(c) || (c == "." && !out.isEmpty) {
                out.append(c)
            } else {
                out += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return out
    }
}
