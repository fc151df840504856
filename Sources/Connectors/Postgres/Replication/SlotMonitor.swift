import ConnectAPI

/// Watches the slot from outside: how much WAL it keeps, and how far behind the server the connector is.
struct SlotMonitor {
    let parameters: ConnectionParameters
    let slot: Slot
    let context: TaskContext
    let server: String
    let progress: StreamProgress
    let metrics: StreamingMetrics
    /// Everything before this LSN is durable.
    let durable: @Sendable () -> UInt64

    private static let interval = Duration.seconds(2)
    private static let muchLag: Int64 = 256 << 20
    /// So long the walsender may be that far behind before stretches of WAL are read instead.
    private static let patience = Duration.seconds(10)

    /// Until cancelled. A server that is away is the reader's business.
    func run() async {
        var connection: Connection?
        var clock = LagClock(), warned = false, behindSince: ContinuousClock.Instant?
        while !Task.isCancelled {
            do {
                if connection == nil { connection = try await Connection.open(parameters) }
                if let connection, let state = try await slot.state(connection) {
                    let now = progress.now
                    report(state, now, &clock)
                    metrics.report(now)
                    let isBehind = (state.lagBytes ?? 0) > Self.muchLag && now.watchesWalsender && now.queue?.isEmpty == true
                    behindSince = isBehind ? behindSince ?? .now : nil
                    if let since = behindSince, since.duration(to: .now) >= Self.patience { progress.update { $0.isBehind = true } }
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
        await connection?.close()
    }

    private func report(_ slotState: Slot.State, _ progress: StreamProgress.State, _ clock: inout LagClock) {
        let ofSlot = ["name": server, "slot": slot.name], ofSource = ["name": server]
        context.metrics.set("sluice_postgres_slot_retained_bytes", ofSlot, Double(slotState.retainedBytes ?? 0))
        context.metrics.set("sluice_postgres_slot_confirmed_flush_lsn", ofSlot, Double(slotState.confirmedFlushLSN ?? 0))
        context.metrics.set("sluice_postgres_slot_lag_bytes", ofSlot, Double(slotState.lagBytes ?? 0))
        let taken = max(progress.restLSN, durable()), end = slotState.serverLSN
        let lag = clock.lag(end: end, now: slotState.serverMicros, taken: taken, lastCommit: progress.commitMicros)
        context.metrics.set("sluice_source_lag_bytes", ofSource, Double(end > taken ? end - taken : 0))
        context.metrics.set("sluice_source_lag_seconds", ofSource, Double(lag) / 1e6)
    }
}
