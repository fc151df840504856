import ConnectAPI

/// What Debezium's streaming MBean shows, as Prometheus series; set once a frame.
struct StreamingMetrics {
    private let sink: any MetricSink
    private let labels: [String: String]

    init(_ context: TaskContext, server: String) {
        sink = context.metrics
        labels = ["context": "streaming", "name": server, "plugin": "postgres"]
        set("Connected", 1)
        set("MilliSecondsBehindSource", -1)
    }

    private func set(_ attribute: String, _ value: Double) { sink.set("debezium_metrics_\(attribute)", labels, value) }

    func report(_ decoder: StreamDecoder) {
        let counts = decoder.counts
        set("TotalNumberOfEventsSeen", Double(counts.events + counts.filtered))
        set("TotalNumberOfCreateEventsSeen", Double(counts.creates))
        set("TotalNumberOfUpdateEventsSeen", Double(counts.updates))
        set("TotalNumberOfDeleteEventsSeen", Double(counts.deletes))
        set("NumberOfEventsFiltered", Double(counts.filtered))
        set("NumberOfErroneousEvents", Double(counts.erroneous))
        set("NumberOfCommittedTransactions", Double(counts.transactions))
        guard let committed = decoder.lastCommitMicros else { return }
        set("MilliSecondsBehindSource", Double(max(0, WallClock.nanoseconds / 1000 - committed)) / 1000)
    }
}

/// Watches the slot from outside: how much WAL it keeps.
struct SlotMonitor {
    let parameters: ConnectionParameters
    let slot: Slot
    let context: TaskContext
    let server: String
    /// Whether the decoding task waits for the walsender.
    let isStarved: @Sendable () -> Bool
    /// Set when the walsender falls behind what is written, twice in a row.
    let behind: Flag?

    private static let interval = Duration.seconds(10)
    private static let muchLag: Int64 = 256 << 20

    /// Until cancelled. A server that is away is the reader's business.
    func run() async {
        var connection: Connection?
        var warned = false, lags = 0
        while !Task.isCancelled {
            do {
                if connection == nil { connection = try await Connection.open(parameters) }
                if let connection, let state = try await slot.state(connection) {
                    let labels = ["name": server, "slot": slot.name]
                    context.metrics.set("sluice_postgres_slot_retained_bytes", labels, Double(state.retainedBytes ?? 0))
                    context.metrics.set("sluice_postgres_slot_confirmed_flush_lsn", labels, Double(state.confirmedFlushLSN ?? 0))
                    context.metrics.set("sluice_postgres_slot_lag_bytes", labels, Double(state.lagBytes ?? 0))
                    lags = (state.lagBytes ?? 0) > Self.muchLag && isStarved() ? lags + 1 : 0
                    if lags == 2 { behind?.set() }
                    if state.walStatus == "unreserved", !warned {
                        warned = true
                        context.log.warn(
                            "Slot \(slot.name) is about to lose WAL it needs: it keeps \(state.retainedBytes ?? 0) bytes. Raise max_slot_wal_keep_size or look why the log takes no records"
                        )
                    }
                }
            } catch {
                connection = nil
            }
            try? await Task.sleep(for: Self.interval)
        }
    }
}
