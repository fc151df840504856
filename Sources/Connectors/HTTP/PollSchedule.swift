import ConnectAPI

/// When to poll: on a cron schedule, or so long after the last poll.
///
/// The last poll's time is part of the offset, so that a restart neither asks an API again at once nor forgets a poll that fell into it.
struct PollSchedule: Sendable {
    private enum Kind: Sendable {
        case every(Int64, catchUp: Int64)
        case cron(CronSchedule)
    }
    private let kind: Kind

    init(_ configuration: HTTPSourceConfiguration) throws(HTTPSourceSettings.Problem) {
        guard let cron = configuration.cron else {
            kind = .every(configuration.interval, catchUp: configuration.catchUpInterval ?? configuration.interval)
            return
        }
        let zone: TimeZoneRules
        do {
            zone = try TimeZoneRules(configuration.zone)
        } catch {
            throw .init("http.timer.zone", error.description)
        }
        guard let schedule = CronSchedule(cron, zone: zone) else {
            throw .init("http.timer.cron", "It is no cron expression that is ever due; five fields such as */5 * * * *, or six with seconds first")
        }
        kind = .cron(schedule)
    }

    /// Milliseconds since 1970; a time that has passed is due now. `last`: the last poll.
    func next(after last: Int64?, catchingUp: Bool, now: Int64) -> Int64 {
        switch kind {
        case .every(let interval, let catchUp): last.map { $0 + (catchingUp ? catchUp : interval) } ?? now
        case .cron(let schedule): schedule.next(after: last ?? now) ?? .max
        }
    }
}
