import ConnectAPI

/// Says when rows are due: so many a second, or as far apart as a column of theirs says, sped up.
struct ReplayClock {
    enum Pace: Sendable {
        case none
        case rate(Double)
        case column(String, speed: Double)
    }
    private let pace: Pace
    /// When the next row of a rate, or the last row of a column, is due; nil before the first row.
    private var due: ContinuousClock.Instant?
    private var lastTime: Double?

    init(_ pace: Pace) { self.pace = pace }

    var isPaced: Bool { if case .none = pace { false } else { true } }

    /// When each row is due, in order. Rows that go back in time, and rows without one, are due with the row before.
    mutating func dues(_ count: Int, times: Column?) -> [ContinuousClock.Instant] {
        var dues: [ContinuousClock.Instant] = []
        dues.reserveCapacity(count)
        let now = ContinuousClock.now
        var at = due ?? now
        for row in 0..<count {
            switch pace {
            case .none: break
            case .rate(let rate):
                // What was not taken in time is not caught up in a burst of more than a second.
                if at < now - .seconds(1) { at = now - .seconds(1) }
                dues.append(at)
                at += .seconds(1 / rate)
                continue
            case .column(_, let speed):
                if let time = times.flatMap({ Self.seconds($0, row) }) {
                    if let last = lastTime, time > last { at += .seconds((time - last) / speed) }
                    lastTime = time
                }
            }
            dues.append(at)
        }
        due = at
        return dues
    }

    /// Seconds since 1970 of a number (seconds, or milliseconds where it is too large for seconds), a date or a timestamp.
    private static func seconds(_ column: Column, _ row: Int) -> Double? {
        if column.isNull(row) { return nil }
        let value: Double
        switch column[row] {
        case .integer(let number): value = Double(number)
        case .double(let number): value = number
        case .float(let number): value = Double(number)
        case .string(let text):
            guard let number = Double(text) else { return nil }
            value = number
        default: return nil
        }
        switch column.schema.name {
        case LogicalName.connectDate: return value * 86_400
        case LogicalName.connectTimestamp: return value / 1000
        case LogicalName.microTimestamp: return value / 1_000_000
        default: return abs(value) >= 1e11 ? value / 1000 : value
        }
    }
}
