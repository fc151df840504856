import ConnectAPI

/// Which directory every row of a batch belongs to, computed for the whole batch at once.
///
///     value column ──▶ codes per field ──▶ composite code ──▶ directory number      (Field)
///     timestamps ──▶ bucket of partition.duration.ms ──▶ directory number             (TimeBased, Daily, Hourly)
///     key, fields and hours ──▶ composite code ──▶ directory number                  (variables of file.name.template)
///
/// Directory numbers index `names`, which grows by one text per new directory and never per record.
struct Partitioner {
    enum Kind {
        case `default`
        case fields(FieldDirectories)
        case time(TimeDirectories)
        case template(TemplateGroups)
    }

    /// The directory of each row.
    enum Rows: Equatable {
        case all(Int32)
        /// One number a row; `rejected` rows have none.
        case each([Int32])

        static let rejected: Int32 = -1

        subscript(row: Int) -> Int32 {
            switch self {
            case .all(let directory): directory
            case .each(let directories): directories[row]
            }
        }
    }

    struct Result {
        var rows: Rows
        /// Record times in milliseconds, when the partitioner extracts them.
        var times: TimestampColumn?
        /// Rows that cannot be placed, ascending.
        var rejects: [(row: Int, error: ConnectorError)] = []
    }

    private var kind: Kind
    private let affix: SchemaAffix?
    /// Directories with the schema's name, by the schema's name and the directory without it.
    private var affixed: [String: [Int32: Int32]] = [:]
    /// The encoded directories seen so far.
    private(set) var names: [String] = []
    private var numbers: [String: Int32] = [:]
    private var defaultNumbers: [Int32: Int32] = [:]

    init(_ kind: Kind, affix: SchemaAffix? = nil) {
        self.kind = kind
        self.affix = affix
    }

    /// `rotate.interval.ms` works only when the partitioner knows a record's time.
    var extractsTimes: Bool { if case .time = kind { true } else { false } }

    mutating func intern(_ name: String) -> Int32 {
        if let known = numbers[name] { return known }
        let number = Int32(names.count)
        names.append(name)
        numbers[name] = number
        return number
    }

    /// `value` is the column that is written (after `payload.path`); `nulls` are rows without one.
    mutating func assign(_ batch: ConsumedBatch, value: Column?, nulls: Bitmap?, now: Int64) -> Result {
        var result = place(batch, value: value, nulls: nulls, now: now)
        guard let affix, let schema = batch.batch.value?.schema else { return result }
        var known = affixed[schema.name ?? "", default: [:]]
        func shown(_ directory: Int32) -> Int32 {
            if directory == Rows.rejected { return directory }
            if let number = known[directory] { return number }
            let number = intern(affix.directory(names[Int(directory)], schema: schema.name))
            known[directory] = number
            return number
        }
        switch result.rows {
        case .all(let directory): result.rows = .all(shown(directory))
        case .each(let directories): result.rows = .each(directories.map { shown($0) })
        }
        affixed[schema.name ?? ""] = known
        return result
    }

    /// The directory of a time, without the schema's name, and from when until when it takes records; nil: directories are not of time.
    mutating func stretch(at time: Int64) -> (directory: Int32, start: Int64, end: Int64)? {
        guard case .time(var times) = kind else { return nil }
        kind = .default
        defer { kind = .time(times) }
        return times.stretch(at: time) { intern($0) }
    }

    private mutating func place(_ batch: ConsumedBatch, value: Column?, nulls: Bitmap?, now: Int64) -> Result {
        switch kind {
        case .default:
            let partition = batch.partition.partition
            if let number = defaultNumbers[partition] { return Result(rows: .all(number)) }
            let number = intern("partition=\(partition)")
            defaultNumbers[partition] = number
            return Result(rows: .all(number))
        case .fields(var fields):
            kind = .default
            let result = fields.assign(batch, value: value, nulls: nulls) { intern($0) }
            kind = .fields(fields)
            return result
        case .time(var time):
            kind = .default
            let result = time.assign(batch, value: value, nulls: nulls, now: now) { intern($0) }
            kind = .time(time)
            return result
        case .template(var groups):
            kind = .default
            let result = groups.assign(batch, value: value, nulls: nulls, now: now) { intern($0) }
            kind = .template(groups)
            return result
        }
    }
}
