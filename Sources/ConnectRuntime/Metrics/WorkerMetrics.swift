import ConnectAPI

/// The figures of a worker: the text of `GET /metrics` (Kafka Connect's under the names Strimzi's dashboards use, connectors' own, the
/// worker's) and the lines of its progress.
package struct WorkerMetrics: Sendable {
    let registry: MetricsRegistry
    let sourceBudget: ByteBudget
    let rates = TaskRates()

    init(_ registry: MetricsRegistry, _ services: TaskServices) {
        self.registry = registry
        sourceBudget = services.sourceBudget
    }

    /// A connector's part of the figures.
    struct ConnectorFigures: Sendable {
        let name: String
        let type: ConnectorType
        let className: String
        let version: String
        let state: StoredStatus.State
        let tasks: [Int: StoredStatus.State]

        init(_ name: String, _ stored: StoredConnector, _ plugin: PluginRegistry.Plugin?, _ state: StoredStatus.State, _ tasks: [Int: StoredStatus.State]) {
            self.name = name
            type = plugin?.connectorType ?? .unknown
            className = plugin?.className ?? stored.values["connector.class"] ?? ""
            version = plugin?.version ?? "undefined"
            self.state = state
            self.tasks = tasks
        }
    }

    /// How starts went.
    package struct StartupCounts: Sendable {
        package var connectorAttempts: Int64 = 0, connectorFailures: Int64 = 0, taskAttempts: Int64 = 0, taskFailures: Int64 = 0
    }

    /// `connectors`: those this worker runs or runs tasks of.
    func text(_ connectors: [ConnectorFigures], _ startups: StartupCounts, _ group: GroupFigures?) -> String {
        var out = PrometheusText()
        Self.writeConnectors(connectors, startups, &out)
        (group ?? .alone).write(connectors: connectors.count, tasks: connectors.reduce(0) { $0 + $1.tasks.count }, &out)
        Self.writeTasks(registry.tasks, rates, &out)
        for (name, series) in registry.reported {
            for (labels, value) in series { out.add(name, labels.map { ($0.name, $0.value) }, value) }
        }
        for (name, series) in registry.histograms {
            for (labels, value) in series { out.add(name, labels.map { ($0.name, $0.value) }, value) }
        }
        out.add("sluice_source_buffer_bytes", Double(sourceBudget.used), help: "Bytes of records on their way into the log")
        out.add("sluice_source_buffer_limit_bytes", Double(sourceBudget.capacity), help: "Bytes that may be on their way into the log")
        out.add("process_resident_memory_bytes", Double(ProcessFigures.residentBytes), help: "Resident memory of the worker")
        return out.text
    }

    private static func writeConnectors(_ connectors: [ConnectorFigures], _ startups: StartupCounts, _ out: inout PrometheusText) {
        for c in connectors {
            out.add("kafka_connect_connector_status", [("connector", c.name), ("status", c.state.rawValue.lowercased())], 1, help: "The connector's state")
        }
        for c in connectors {
            out.add("kafka_connect_connector_connector_class", [("connector", c.name), ("connector_class", c.className)], 1, help: "The connector's class")
        }
        for c in connectors {
            out.add("kafka_connect_connector_connector_type", [("connector", c.name), ("connector_type", c.type.rawValue)], 1, help: "source or sink")
        }
        for c in connectors {
            out.add("kafka_connect_connector_connector_version", [("connector", c.name), ("connector_version", c.version)], 1, help: "The connector's version")
        }
        for c in connectors {
            for (task, state) in c.tasks.sorted(by: { $0.key < $1.key }) {
                out.add(
                    "kafka_connect_connector_task_status", [("connector", c.name), ("task", String(task)), ("status", state.rawValue.lowercased())], 1,
                    help: "The task's state")
            }
        }
        out.add("kafka_connect_worker_connector_count", Double(connectors.count), help: "Connectors of this worker")
        out.add("kafka_connect_worker_task_count", Double(connectors.reduce(0) { $0 + $1.tasks.count }), help: "Tasks of this worker")
        for (kind, attempts, failures) in [
            ("connector", startups.connectorAttempts, startups.connectorFailures), ("task", startups.taskAttempts, startups.taskFailures),
        ] {
            let successes = attempts - failures
            out.add("kafka_connect_worker_\(kind)_startup_attempts_total", Double(attempts), help: "Starts tried")
            out.add("kafka_connect_worker_\(kind)_startup_success_total", Double(successes), help: "Starts that did not fail")
            out.add("kafka_connect_worker_\(kind)_startup_failure_total", Double(failures), help: "Starts that failed")
            out.add(
                "kafka_connect_worker_\(kind)_startup_success_percentage", attempts == 0 ? 0 : Double(successes) / Double(attempts),
                help: "Part of the starts that did not fail")
            out.add(
                "kafka_connect_worker_\(kind)_startup_failure_percentage", attempts == 0 ? 0 : Double(failures) / Double(attempts),
                help: "Part of the starts that failed")
        }
        for state in ["total", "running", "paused", "failed", "unassigned", "destroyed", "restarting"] {
            for c in connectors {
                let count = state == "total" ? c.tasks.count : c.tasks.values.count { $0.rawValue.lowercased() == state }
                out.add("kafka_connect_worker_connector_\(state)_task_count", [("connector", c.name)], Double(count), help: "Tasks of the connector by state")
            }
        }
    }

    private static func writeTasks(
        _ tasks: [(key: MetricsRegistry.TaskKey, entry: MetricsRegistry.TaskEntry)], _ rates: TaskRates, _ out: inout PrometheusText
    ) {
        let read = tasks.map { (key: $0.key, isSink: $0.entry.isSink, values: $0.entry.counters.snapshot) }
        func write(_ name: String, sinks: Bool?, help: String, _ value: (MetricsRegistry.TaskKey, TaskCounters.Values) -> Double) {
            for task in read where sinks.map({ $0 == task.isSink }) ?? true {
                out.add(name, [("connector", task.key.connector), ("task", String(task.key.task))], value(task.key, task.values), help: help)
            }
        }
        let source = "kafka_connect_source_task_", sink = "kafka_connect_sink_task_", any = "kafka_connect_connector_task_"
        write(source + "source_record_poll_total", sinks: false, help: "Records read by the task, before transforms") { Double($1.polled) }
        write(source + "source_record_poll_rate", sinks: false, help: "The same, a second") { rates.polled.rate($0, now: $1.polled) }
        write(source + "source_record_write_total", sinks: false, help: "Records the log took, after transforms") { Double($1.written) }
        write(source + "source_record_write_rate", sinks: false, help: "The same, a second") { rates.written.rate($0, now: $1.written) }
        write(source + "source_record_active_count", sinks: false, help: "Records read and not yet durable in the log") { Double($1.active) }
        write(source + "source_record_active_count_max", sinks: false, help: "The most there were") { Double($1.activeMax) }
        write(source + "source_record_active_count_avg", sinks: false, help: "Their mean") { $1.actives.average }
        write(source + "poll_batch_max_time_ms", sinks: false, help: "Longest transform of a batch") { $1.batchTime.maximum }
        write(source + "poll_batch_avg_time_ms", sinks: false, help: "Mean transform of a batch") { $1.batchTime.average }
        write(sink + "sink_record_read_total", sinks: true, help: "Records read from the log, before transforms") { Double($1.polled) }
        write(sink + "sink_record_read_rate", sinks: true, help: "The same, a second") { rates.polled.rate($0, now: $1.polled) }
        write(sink + "sink_record_send_total", sinks: true, help: "Records handed to the task, after transforms") { Double($1.written) }
        write(sink + "sink_record_send_rate", sinks: true, help: "The same, a second") { rates.written.rate($0, now: $1.written) }
        write(sink + "sink_record_active_count", sinks: true, help: "Records read and not yet handed to the task") { Double($1.active) }
        write(sink + "sink_record_active_count_max", sinks: true, help: "The most there were") { Double($1.activeMax) }
        write(sink + "sink_record_active_count_avg", sinks: true, help: "Their mean") { $1.actives.average }
        write(sink + "sink_record_lag_max", sinks: true, help: "Records in the log that the task has not taken, of the partition with most") {
            Double($1.lagRecordsMax)
        }
        write(sink + "partition_count", sinks: true, help: "Partitions of the task") { Double($1.partitions) }
        write(sink + "offset_commit_seq_no", sinks: true, help: "Offset commits") { Double($1.commitSequence) }
        write(sink + "offset_commit_completion_total", sinks: true, help: "Offset commits that worked") { Double($1.commitSequence) }
        write(sink + "offset_commit_completion_rate", sinks: true, help: "The same, a second") { rates.commits.rate($0, now: $1.commitSequence) }
        write(sink + "offset_commit_skip_rate", sinks: true, help: "Offset commits that were skipped, a second") { rates.skips.rate($0, now: $1.commitSkips) }
        write(sink + "offset_commit_skip_total", sinks: true, help: "Offset commits that were skipped") { Double($1.commitSkips) }
        write(sink + "put_batch_max_time_ms", sinks: true, help: "Longest write of a batch") { $1.batchTime.maximum }
        write(sink + "put_batch_avg_time_ms", sinks: true, help: "Mean write of a batch") { $1.batchTime.average }
        write(any + "running_ratio", sinks: nil, help: "Part of the time the task was let run") { 1 - $1.running.pauseRatio }
        write(any + "pause_ratio", sinks: nil, help: "Part of the time the task was paused") { $1.running.pauseRatio }
        write(any + "batch_size_max", sinks: nil, help: "Largest batch in records") { $1.batches.maximum }
        write(any + "batch_size_avg", sinks: nil, help: "Mean batch in records") { $1.batches.average }
        write(any + "offset_commit_max_time_ms", sinks: nil, help: "Longest commit to the log") { $1.commitTime.maximum }
        write(any + "offset_commit_avg_time_ms", sinks: nil, help: "Mean commit to the log") { $1.commitTime.average }
        write(any + "offset_commit_success_percentage", sinks: nil, help: "Part of the commits that worked") { successes($1) }
        write(any + "offset_commit_failure_percentage", sinks: nil, help: "Part of the commits that failed") {
            $1.commitTime.count + $1.commitFailures == 0 ? 0 : 1 - successes($1)
        }
        let errors = "kafka_connect_task_error_"
        write(errors + "total_record_failures", sinks: nil, help: "Failures of records") { Double($1.failures) }
        write(errors + "total_record_errors", sinks: nil, help: "Records that failed the task") { Double($1.errors) }
        write(errors + "total_records_skipped", sinks: nil, help: "Records skipped under errors.tolerance") { Double($1.skipped) }
        write(errors + "total_retries", sinks: nil, help: "Operations tried again") { Double($1.retries) }
        write(errors + "total_errors_logged", sinks: nil, help: "Failures logged") { Double($1.logged) }
        write(errors + "deadletterqueue_produce_requests", sinks: nil, help: "Records for the dead letter queue") { Double($1.deadLetters) }
        write(errors + "deadletterqueue_produce_failures", sinks: nil, help: "Records the dead letter queue did not get") { Double($1.deadLetterFailures) }
        write(errors + "last_error_timestamp", sinks: nil, help: "When a record failed last, in milliseconds since 1970") { Double($1.lastError) }
        write("sluice_task_bytes_total", sinks: nil, help: "Bytes of records in memory that the log or the task took") { Double($1.writtenBytes) }
        write("sluice_sink_buffer_bytes", sinks: true, help: "Bytes the task has read ahead") { Double($1.bufferBytes) }
        write("sluice_sink_buffer_limit_bytes", sinks: true, help: "Bytes the task may read ahead") { Double($1.bufferLimit) }
        write("sluice_sink_stopped_partitions", sinks: true, help: "Partitions given up since their bytes in the log are damaged") {
            Double($1.stoppedPartitions)
        }
        write("sluice_sink_lag_records", sinks: true, help: "Records in the log that the task has not taken") { Double($1.lagRecords) }
        write("sluice_sink_lag_bytes", sinks: true, help: "About how many bytes they are") { Double($1.lagBytes) }
        write("sluice_sink_lag_seconds", sinks: true, help: "Age of the last record taken while there are others") { Double($1.lagMilliseconds) / 1e3 }
    }

    private static func successes(_ values: TaskCounters.Values) -> Double {
        let all = values.commitTime.count + values.commitFailures
        return all == 0 ? 0 : Double(values.commitTime.count) / Double(all)
    }
}

/// The rates of the tasks' totals.
package struct TaskRates: Sendable {
    let polled = RateWindow<MetricsRegistry.TaskKey>()
    let written = RateWindow<MetricsRegistry.TaskKey>()
    let commits = RateWindow<MetricsRegistry.TaskKey>()
    let skips = RateWindow<MetricsRegistry.TaskKey>()

    func sample(_ tasks: [(key: MetricsRegistry.TaskKey, entry: MetricsRegistry.TaskEntry)]) {
        let read = tasks.map { ($0.key, $0.entry.counters.snapshot) }
        polled.sample(Dictionary(uniqueKeysWithValues: read.map { ($0, $1.polled) }))
        written.sample(Dictionary(uniqueKeysWithValues: read.map { ($0, $1.written) }))
        commits.sample(Dictionary(uniqueKeysWithValues: read.map { ($0, $1.commitSequence) }))
        skips.sample(Dictionary(uniqueKeysWithValues: read.map { ($0, $1.commitSkips) }))
    }
}
