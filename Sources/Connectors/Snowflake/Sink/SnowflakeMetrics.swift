import ConnectAPI

/// The figures of one sink task.
struct SnowflakeMetrics: Sendable {
    private let sink: any MetricSink
    private let labels: [String: String]

    init(_ sink: any MetricSink, connector: String, task: Int) {
        self.sink = sink
        labels = ["connector": connector, "task": String(task)]
    }

    private func add(_ name: String, _ value: Double, _ more: [String: String] = [:]) {
        sink.add("sluice_snowflake_\(name)", labels.merging(more) { $1 }, value)
    }
    private func set(_ name: String, _ value: Double) { sink.set("sluice_snowflake_\(name)", labels, value) }
    private func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }

    func took(_ records: Int) { add("records_total", Double(records)) }
    func ignored(_ records: Int) { if records > 0 { add("null_records_ignored_total", Double(records)) } }
    func skipped(_ records: Int) { if records > 0 { add("records_already_staged_total", Double(records)) } }
    func rejected() { add("records_rejected_total", 1) }
    func cut(_ reason: StagedIngestion.CutReason) { add("files_closed_total", 1, ["reason": reason.rawValue]) }
    func staged(bytes: Int, took: Duration) {
        add("files_staged_total", 1)
        add("bytes_total", Double(bytes))
        add("upload_seconds_total", seconds(took))
    }
    func loaded(files: Int, rows: Int, took: Duration) {
        add("files_loaded_total", Double(files))
        add("rows_loaded_total", Double(rows))
        add("load_seconds_total", seconds(took))
        set("load_seconds_last", seconds(took))
    }
    func appended(rows: Int, bytes: Int) {
        add("rows_streamed_total", Double(rows))
        add("bytes_total", Double(bytes))
    }
    func retried(_ code: String) { add("retries_total", 1, ["code": code]) }
    func state(openFiles: Int, bufferedBytes: Int, stagedFiles: Int, oldest: Int64) {
        set("open_files", Double(openFiles))
        set("buffered_bytes", Double(bufferedBytes))
        set("staged_files", Double(stagedFiles))
        set("oldest_record_age_seconds", Double(oldest) / 1000)
    }
}
