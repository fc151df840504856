import ConnectAPI

/// What Debezium's snapshot MBean shows, as Prometheus series.
struct SnapshotMetrics {
    private let sink: any MetricSink
    private let labels: [String: String]
    private let started = ContinuousClock.now

    init(_ context: TaskContext, server: String, tags: [String: String], tables: Int, remaining: Int) {
        sink = context.metrics
        labels = ["context": "snapshot", "name": server, "plugin": "postgres"].merging(tags) { own, _ in own }
        set("TotalTableCount", Double(tables))
        set("RemainingTableCount", Double(remaining))
        set("SnapshotRunning", 1)
        set("SnapshotCompleted", 0)
    }

    private func set(_ attribute: String, _ value: Double) { sink.set("debezium_metrics_\(attribute)", labels, value) }

    func finished(_ unit: SnapshotUnit, rows: Int) {
        var labels = labels
        labels["table"] = unit.table
        sink.add("debezium_metrics_RowsScanned", labels, Double(rows))
        if unit.endsTable { sink.add("debezium_metrics_RemainingTableCount", self.labels, -1) }
        sink.add("debezium_metrics_TotalNumberOfEventsSeen", self.labels, Double(rows))
    }

    /// Values that could not be converted.
    func failed(_ values: Int) { sink.add("debezium_metrics_NumberOfErroneousEvents", labels, Double(values)) }

    func completed() {
        set("SnapshotRunning", 0)
        set("SnapshotCompleted", 1)
        set("SnapshotDurationInSeconds", (ContinuousClock.now - started) / .seconds(1))
    }
}
