import ConnectAPI

/// The figures of one sink task.
struct SinkMetrics: Sendable {
    private let sink: any MetricSink
    private let labels: [String: String]

    init(_ sink: any MetricSink, connector: String, task: Int) {
        self.sink = sink
        labels = ["connector": connector, "task": String(task)]
    }

    private func add(_ name: String, _ value: Double, _ more: [String: String] = [:]) {
        sink.add("sluice_object_store_\(name)", labels.merging(more) { $1 }, value)
    }
    private func set(_ name: String, _ value: Double, _ more: [String: String] = [:]) {
        sink.set("sluice_object_store_\(name)", labels.merging(more) { $1 }, value)
    }
    private func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }

    func took(records: Int) { add("records_total", Double(records)) }
    func skipped(records: Int) { if records > 0 { add("records_already_stored_total", Double(records)) } }
    func ignored(records: Int) { if records > 0 { add("null_records_ignored_total", Double(records)) } }
    func rejected() { add("records_rejected_total", 1) }
    func closed(_ reason: PartitionRotation.Reason) { add("files_closed_total", 1, ["reason": reason.rawValue]) }
    func uploaded(bytes: Int, took: Duration) {
        add("files_stored_total", 1)
        add("bytes_total", Double(bytes))
        sink.observe("sluice_object_store_upload_seconds", labels, seconds(took))
    }
    func retried(code: String) { add("retries_total", 1, ["code": code]) }
    func droppedUploads(_ count: Int) { if count > 0 { add("orphan_uploads_dropped_total", Double(count)) } }
    func merged(files: Int, bytes: Int64) {
        add("merged_files_total", Double(files))
        add("merged_bytes_total", Double(bytes))
        add("merges_total", 1)
    }
    func mergeFailed() { add("merge_failures_total", 1) }
    func notTagged() { add("tagging_failures_total", 1) }
    func credentials(expireIn seconds: Double) { set("credentials_expire_in_seconds", seconds) }
    func conflicted() { add("conditional_conflicts_total", 1) }
    func state(openFiles: Int, bufferedBytes: Int, oldestRecordAge: Double) {
        set("open_files", Double(openFiles))
        set("buffered_bytes", Double(bufferedBytes))
        set("oldest_record_age_seconds", oldestRecordAge)
    }
    func committed(_ partition: TopicPartition, _ offset: Int64, taken: Int64) {
        set("committed_offset", Double(offset), ["topic": partition.topic, "partition": String(partition.partition)])
        uncommitted(partition, taken - offset)
    }
    func uncommitted(_ partition: TopicPartition, _ records: Int64) {
        set("uncommitted_records", Double(max(0, records)), ["topic": partition.topic, "partition": String(partition.partition)])
    }
}
