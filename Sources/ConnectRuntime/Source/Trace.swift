import ConnectAPI

/// The `trace` of a failed task, in the shape of a Java stack trace: people and tools look for the last `Caused by:`. Messages and hints
/// only; never row data or a secret (Invariant 10).
package enum Trace {
    static let connectException = "org.apache.kafka.connect.errors.ConnectException"
    static let retriableException = "org.apache.kafka.connect.errors.RetriableException"
    static let dataException = "org.apache.kafka.connect.errors.DataException"

    /// `wrapper`: the sentence Kafka Connect puts on top, such as `Exiting WorkerSinkTask due to unrecoverable exception.`
    package static func text(_ error: any Error, wrapper: String? = nil) -> String {
        if let exceeded = error as? ToleranceExceeded {
            let record = exceeded.record
            let place = record.offset.map { "topic \(record.topic), partition \(record.partition ?? 0), offset \($0)" } ?? "topic \(record.topic)"
            var lines = ["\(connectException): Tolerance exceeded in error handler"]
            lines.append("\tat \(record.stage.rawValue)(\(record.className))")
            lines += causes(record.error, as: dataException, place: place)
            return lines.joined(separator: "\n") + "\n"
        }
        if let wrapper {
            return (["\(connectException): \(wrapper)"] + causes(error, as: connectException)).joined(separator: "\n") + "\n"
        }
        var lines = ["\(connectException): \(message(of: error))"]
        if let code = (error as? ConnectorError)?.code { lines.append("\tat \(code)") }
        if let underlying = (error as? ConnectorError)?.underlying { lines += causes(underlying, as: connectException) }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func causes(_ error: any Error, as type: String, place: String? = nil) -> [String] {
        var lines: [String] = [], current: (any Error)? = error, place = place
        while let error = current {
            let known = error as? ConnectorError
            let name = known?.disposition == .retry ? retriableException : type
            lines.append("Caused by: \(name): \(message(of: error))\(place.map { " (\($0))" } ?? "")")
            if let code = known?.code { lines.append("\tat \(code)") }
            current = known?.underlying
            place = nil
        }
        return lines
    }

    /// Message and hint.
    package static func message(of error: any Error) -> String {
        switch error {
        case let error as ConnectorError: error.hint.map { "\(error.message). \($0)" } ?? error.message
        case let error as HerderError: error.message
        case let error as ToleranceExceeded: "Tolerance exceeded in error handler: \(message(of: error.record.error))"
        default: String(describing: error)
        }
    }
}
