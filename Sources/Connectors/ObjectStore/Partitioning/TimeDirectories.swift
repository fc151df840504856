import ConnectAPI

/// Directories of time: `path.format` at the record's time rounded down to `partition.duration.ms` on the local clock of `timezone`.
///
/// The record's time is rounded on the local clock and the result is taken back to an instant as Joda does (Confluent's TimeBasedPartitioner); unlike
/// there, times before 1970 round down too.
struct TimeDirectories {
    private let duration: Int64
    private let format: PathFormat
    private let zone: TimeZoneRules
    let extractor: TimestampExtractor
    private var period: (offset: Int64, from: Int64, until: Int64) = (0, 0, 0)
    private var lastBucket: (number: Int64, directory: Int32)?
    private var known: [Int64: Int32] = [:]
    private var lastStretch: (directory: Int32, start: Int64, end: Int64)?

    init(duration: Int64, format: PathFormat, zone: TimeZoneRules, extractor: TimestampExtractor) {
        self.duration = duration
        self.format = format
        self.zone = zone
        self.extractor = extractor
    }

    /// What a directory looks like.
    var sample: String { format.text(localMilliseconds: 0) }

    /// Directories of more durations than this (a year of hours has 8760) are not followed to their ends.
    private static let longestStretch = 10_000

    /// The directory of a time, and from when until when it takes records, in milliseconds; nil: too many durations to tell.
    mutating func stretch(at time: Int64, _ intern: (String) -> Int32) -> (directory: Int32, start: Int64, end: Int64)? {
        if let lastStretch, (lastStretch.start..<lastStretch.end).contains(time) { return lastStretch }
        func bounds(_ time: Int64) -> (start: Int64, end: Int64) {
            let bucket = (time &+ zone.offset(at: time)).flooredDivision(by: duration).quotient
            return (zone.instant(local: bucket &* duration), zone.instant(local: (bucket &+ 1) &* duration))
        }
        let directory = directory(of: time, intern)
        var (start, end) = bounds(time), count = 0
        // A pattern may be coarser than the duration: a directory of a day takes all its hours.
        while self.directory(of: end, intern) == directory {
            count += 1
            if count > Self.longestStretch { return nil }
            end = bounds(end).end
        }
        while self.directory(of: start - 1, intern) == directory {
            count += 1
            if count > Self.longestStretch { return nil }
            start = bounds(start - 1).start
        }
        lastStretch = (directory, start, end)
        return lastStretch
    }

    mutating func assign(
        _ batch: ConsumedBatch, value: Column?, nulls: Bitmap?, now: Int64, _ intern: (String) -> Int32
    ) -> Partitioner.Result {
        let (times, rejects) = extractor.times(batch, value: value, nulls: nulls, now: now)
        switch times {
        case .constant(let time):
            return Partitioner.Result(rows: .all(directory(of: time, intern)), times: times, rejects: rejects)
        case .each(let each):
            var rows = [Int32](repeating: 0, count: each.count)
            // `differing` keeps the common case of one directory a batch free of a list.
            var differing = !rejects.isEmpty
            var reject = rejects.makeIterator(), nextReject = reject.next()?.row ?? -1
            for row in each.indices {
                if row == nextReject {
                    rows[row] = Partitioner.Rows.rejected
                    nextReject = reject.next()?.row ?? -1
                    continue
                }
                rows[row] = directory(of: each[row], intern)
                if rows[row] != rows[0] { differing = true }
            }
            return Partitioner.Result(rows: differing || rows.isEmpty ? .each(rows) : .all(rows[0]), times: times, rejects: rejects)
        }
    }

    private mutating func directory(of time: Int64, _ intern: (String) -> Int32) -> Int32 {
        if time < period.from || time >= period.until { period = zone.period(at: time) }
        let bucket = time.addingReportingOverflow(period.offset).partialValue.flooredDivision(by: duration).quotient
        if let lastBucket, lastBucket.number == bucket { return lastBucket.directory }
        if let directory = known[bucket] {
            lastBucket = (bucket, directory)
            return directory
        }
        let start = bucket.multipliedReportingOverflow(by: duration).partialValue
        let instant = zone.instant(local: start)
        let directory = intern(format.text(localMilliseconds: instant &+ zone.offset(at: instant)))
        if known.count >= 65_536 { known.removeAll() }
        known[bucket] = directory
        lastBucket = (bucket, directory)
        return directory
    }
}
