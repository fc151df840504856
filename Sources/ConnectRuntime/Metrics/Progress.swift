import ConnectAPI

/// What flows, in a line a connector: rows a second, rows in all, lag.
extension WorkerMetrics {
    /// Samples the rates; call it every few seconds.
    package func sampleRates() { rates.sample(registry.tasks) }

    /// `banking-lake: 1,234 rows/s, 56,789 rows, 12 behind (0.4 s)`, for connectors with running tasks.
    package func progressLines() -> [String] {
        var order: [String] = [], byConnector: [String: (rate: Double, rows: Int64, lag: Int64, milliseconds: Int64, isSink: Bool)] = [:]
        for (key, entry) in registry.tasks {
            let values = entry.counters.snapshot
            var sum = byConnector[key.connector] ?? (0, 0, 0, 0, entry.isSink)
            if byConnector[key.connector] == nil { order.append(key.connector) }
            sum.rate += rates.written.rate(key, now: values.written)
            sum.rows += values.written
            sum.lag += values.lagRecords
            sum.milliseconds = max(sum.milliseconds, values.lagMilliseconds)
            byConnector[key.connector] = sum
        }
        return order.map { name in
            let sum = byConnector[name]!
            let lag =
                !sum.isSink
                ? ""
                : sum.lag == 0
                    ? ", up to date" : ", \(Self.grouped(sum.lag)) behind (\(Self.grouped(sum.milliseconds / 1000)).\(sum.milliseconds % 1000 / 100) s)"
            return "\(name): \(Self.grouped(Int64(sum.rate.rounded()))) rows/s, \(Self.grouped(sum.rows)) rows\(lag)"
        }
    }

    private static func grouped(_ value: Int64) -> String {
        var out = "", digits = Array(String(value))
        while digits.count > 3 {
            out = "," + String(digits.suffix(3)) + out
            digits.removeLast(3)
        }
        return String(digits) + out
    }
}
