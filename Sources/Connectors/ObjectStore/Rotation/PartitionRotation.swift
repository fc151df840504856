import ConnectAPI

/// When the files of one topic partition are stored. A state machine without I/O: rows and clock readings in, cuts out.
///
/// Confluent's order for every record, which the object names of existing lakes depend on:
///
///     time (rotate.interval.ms, directory change, schedule) ─▶ schema ─▶ open files ─▶ append ─▶ flush.size
///
/// Any of them stores ALL files of the partition; the record that caused a cut before it begins the next set. Rows between two cuts are given
/// out as one range, so that a file takes slices of batches.
struct PartitionRotation {
    struct Policy: Sendable {
        /// Records of the partition, over all directories; 0: no limit.
        var flushSize: Int
        /// Milliseconds of record time; 0: off.
        var interval: Int64 = 0
        /// Milliseconds of wall clock; 0: off.
        var schedule: Int64 = 0
        var zone: TimeZoneRules = .utc
        var onDirectoryChange = true
        /// 0: no limit.
        var maxOpenFiles = 0
        var compatibility = SchemaCompatibility.none
    }

    enum Reason: String, Sendable, CaseIterable {
        case records, interval, directory, schedule, schema, openFiles = "open_files", bytes, age, boundary, memory, uncommitted, stop
    }

    enum Step: Equatable {
        /// Store all files of the partition, then ask again for the same row.
        case cut(Reason)
        /// These rows go to the files of their directories; with `thenCut`, all files are stored after them.
        case append(Range<Int>, thenCut: Reason?)
    }

    private let policy: Policy
    /// Records since the last cut.
    private(set) var recordCount = 0
    /// The time of the first record since the last cut.
    private var baseTime: Int64?
    private var lastDirectory: Int32?
    private(set) var nextSchedule: Int64 = .max
    /// The schema of every directory that has records since the last cut.
    private var schemas: [Int32: Schema?] = [:]

    init(_ policy: Policy, now: Int64) {
        self.policy = policy
        planSchedule(now)
    }

    /// The next multiple of the schedule since midnight of the zone.
    private mutating func planSchedule(_ now: Int64) {
        guard policy.schedule > 0 else { return }
        let local = now + policy.zone.offset(at: now)
        let midnight = local.flooredDivision(by: 86_400_000).quotient * 86_400_000
        let next = midnight + ((local - midnight) / policy.schedule + 1) * policy.schedule
        nextSchedule = now + (next - local)
    }

    /// What to do with the rows from `row` on. `schema` is the batch's value schema; `nulls` are records
    /// without a value, which have none.
    mutating func next(
        from row: Int, count: Int, directories: Partitioner.Rows, times: TimestampColumn?, schema: Schema?, nulls: Bitmap?, now: Int64
    ) -> Step {
        if recordCount > 0 {
            if let reason = timeReason(row, directories, times, now) { return cut(reason, now) }
            if nulls?[row] != true, changesSchema(directories[row], schema) { return cut(.schema, now) }
            if opensTooMany(directories[row]) { return cut(.openFiles, now) }
        }
        let limit = policy.flushSize > 0 ? min(count, row + policy.flushSize - recordCount) : count
        var end = row
        if case .all(let directory) = directories, policy.interval == 0 || times == nil {
            // Nothing differs from row to row.
            take(row, directory, times, schema, nulls)
            end = limit
            recordCount += limit - row
            if nulls != nil, schemas[directory] == nil, (row..<limit).contains(where: { nulls?[$0] != true }) { schemas[directory] = .some(schema) }
        } else {
            while end < limit {
                if end > row {
                    if timeReason(end, directories, times, now) != nil { break }
                    // A neighbour of the same directory has the same schema and opens nothing.
                    if nulls == nil, directories[end] == directories[end - 1] {
                        recordCount += 1
                        end += 1
                        continue
                    }
                    if nulls?[end] != true, changesSchema(directories[end], schema) { break }
                    if opensTooMany(directories[end]) { break }
                }
                take(end, directories[end], times, schema, nulls)
                recordCount += 1
                end += 1
            }
        }
        if policy.flushSize > 0, recordCount >= policy.flushSize {
            reset()
            return .append(row..<end, thenCut: .records)
        }
        return .append(row..<end, thenCut: nil)
    }

    /// What the clock asks for when no record comes.
    mutating func tick(_ now: Int64) -> Reason? {
        guard policy.schedule > 0, now >= nextSchedule else { return nil }
        planSchedule(now)
        guard recordCount > 0 else { return nil }
        reset()
        return .schedule
    }

    /// All files of the partition were stored for a reason from outside (memory, stop, held-back offsets).
    mutating func reset() {
        recordCount = 0
        baseTime = nil
        lastDirectory = nil
        schemas.removeAll(keepingCapacity: true)
    }

    /// The schema the open file of a directory has, when it has one.
    func fileSchema(_ directory: Int32) -> Schema? { schemas[directory] ?? nil }

    // MARK: Triggers

    private mutating func cut(_ reason: Reason, _ now: Int64) -> Step {
        if reason == .interval || reason == .directory || reason == .schedule { planSchedule(now) }
        reset()
        return .cut(reason)
    }

    private mutating func take(_ row: Int, _ directory: Int32, _ times: TimestampColumn?, _ schema: Schema?, _ nulls: Bitmap?) {
        if baseTime == nil, let times { baseTime = times[row] }
        lastDirectory = directory
        if nulls?[row] != true, schemas[directory] == nil { schemas[directory] = .some(schema) }
    }

    private func timeReason(_ row: Int, _ directories: Partitioner.Rows, _ times: TimestampColumn?, _ now: Int64) -> Reason? {
        if policy.interval > 0, let times {
            if let baseTime, times[row] - baseTime >= policy.interval { return .interval }
            if policy.onDirectoryChange, let lastDirectory, directories[row] != lastDirectory { return .directory }
        }
        return policy.schedule > 0 && now >= nextSchedule ? .schedule : nil
    }

    private func changesSchema(_ directory: Int32, _ schema: Schema?) -> Bool {
        guard let current = schemas[directory] else { return false }
        return policy.compatibility.cuts(record: schema, file: current)
    }

    private func opensTooMany(_ directory: Int32) -> Bool {
        policy.maxOpenFiles > 0 && schemas.count >= policy.maxOpenFiles && schemas[directory] == nil
    }
}
