import ConnectAPI

/// What Debezium's streaming MBean shows, as Prometheus series; set once a frame.
struct StreamingMetrics {
    private let sink: any MetricSink
    private let labels: [String: String]

    init(_ context: TaskContext, server: String, tags: [String: String]) {
        sink = context.metrics
        labels = ["context": "streaming", "name": server, "plugin": "postgres"].merging(tags) { own, _ in own }
    }

    func set(_ attribute: String, _ value: Double) { sink.set("debezium_metrics_\(attribute)", labels, value) }

    func connected(_ isConnected: Bool) {
        set("Connected", isConnected ? 1 : 0)
        if isConnected { set("MilliSecondsBehindSource", -1) }
    }

    /// - Parameter delay: milliseconds between the commit of what was emitted last and now; nil: nothing was.
    func report(_ counts: StreamDecoder.Counts, delay: Double?) {
        set("TotalNumberOfEventsSeen", Double(counts.events + counts.filtered))
        set("TotalNumberOfCreateEventsSeen", Double(counts.creates))
        set("TotalNumberOfUpdateEventsSeen", Double(counts.updates))
        set("TotalNumberOfDeleteEventsSeen", Double(counts.deletes))
        set("NumberOfEventsFiltered", Double(counts.filtered))
        set("NumberOfErroneousEvents", Double(counts.erroneous))
        set("NumberOfUnchangedEventsSkipped", Double(counts.unchanged))
        set("NumberOfCommittedTransactions", Double(counts.transactions))
        if let delay { set("MilliSecondsBehindSource", delay) }
    }

    /// What is worth telling without an event, too.
    func report(_ progress: StreamProgress.State) {
        if let queue = progress.queue {
            let used = Double(queue.byteCount), capacity = Double(queue.capacity)
            set("CurrentQueueSizeInBytes", used)
            set("MaxQueueSizeInBytes", capacity)
            // Debezium counts events; the queue here is bounded in bytes.
            set("QueueTotalCapacity", capacity)
            set("QueueRemainingCapacity", max(0, capacity - used))
        }
        set("MilliSecondsSinceLastEvent", progress.lastEvent.map { $0.duration(to: .now) / .milliseconds(1) } ?? -1)
        guard let delays = progress.delays.summary else { return }
        set("MilliSecondsBehindSourceMinValue", delays.minimum)
        set("MilliSecondsBehindSourceMaxValue", delays.maximum)
        set("MilliSecondsBehindSourceAverageValue", delays.average)
        set("MilliSecondsBehindSourceP50", delays.p50)
        set("MilliSecondsBehindSourceP95", delays.p95)
        set("MilliSecondsBehindSourceP99", delays.p99)
    }
}
