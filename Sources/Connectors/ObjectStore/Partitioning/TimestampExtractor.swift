import ConnectAPI

/// Record times in milliseconds since 1970.
enum TimestampColumn {
    case constant(Int64)
    case each([Int64])

    @inline(__always) subscript(row: Int) -> Int64 {
        switch self {
        case .constant(let time): time
        case .each(let times): times[row]
        }
    }

    /// The times of these rows, in the order given.
    func select(_ rows: [Int]) -> TimestampColumn {
        switch self {
        case .constant: self
        case .each(let times): .each(rows.map { times[$0] })
        }
    }
}

/// Where a record's time comes from: `timestamp.extractor`.
enum TimestampExtractor: Sendable {
    enum Fallback: String, Sendable { case dlq, record, wallclock }

    case wallclock
    case record
    case recordField(path: [String], Fallback)

    /// The times of all rows. Rows whose field has no time are in `rejects`; their slot in the column is arbitrary. Rows in `nulls` have no
    /// value to look into.
    func times(_ batch: ConsumedBatch, value: Column?, nulls: Bitmap?, now: Int64) -> (TimestampColumn, rejects: [(row: Int, error: ConnectorError)]) {
        switch self {
        case .wallclock: return (.constant(now), [])
        case .record: return (Self.recordTimes(batch.batch.timestamps), [])
        case .recordField(let path, let fallback): return fieldTimes(batch, value, nulls, path, fallback, now)
        }
    }

    private static func recordTimes(_ column: Column) -> TimestampColumn {
        switch column.storage {
        case .int64(let v): .each(v)
        case .constant(let value): .constant(value.integerValue ?? 0)
        default: .each((0..<column.count).map { column[$0].integerValue ?? 0 })
        }
    }

    private func fieldTimes(
        _ batch: ConsumedBatch, _ value: Column?, _ nulls: Bitmap?, _ path: [String], _ fallback: Fallback, _ now: Int64
    ) -> (TimestampColumn, rejects: [(row: Int, error: ConnectorError)]) {
        let count = batch.batch.count
        let leaf = value.flatMap { FieldPath.column(path, in: $0) }
        var missing: [Int] = [], times = [Int64](repeating: 0, count: count)
        if let leaf, let unit = Unit(leaf.schema) {
            fill(&times, from: leaf, unit, &missing)
        } else {
            missing = Array(0..<count)
        }
        if missing.isEmpty { return (.each(times), []) }
        var rejects: [(row: Int, error: ConnectorError)] = []
        let recordTimes = Self.recordTimes(batch.batch.timestamps)
        let why =
            leaf == nil ? "is not in the record" : Unit(leaf!.schema) == nil ? "is a \(leaf!.schema.type) and cannot be a time" : "holds no time"
        for row in missing {
            switch fallback {
            case .wallclock: times[row] = now
            case .record: times[row] = recordTimes[row]
            case .dlq where nulls?[row] == true: times[row] = recordTimes[row]
            case .dlq:
                rejects.append(
                    (
                        row,
                        ConnectorError(
                            "objectstore.timestamp_missing", .reject,
                            "The field '\(path.joined(separator: "."))' of \(batch.partition) at offset \(batch.offsets[row]) \(why)",
                            hint: "Set timestamp.field to a field that every record has, or timestamp.fallback to record or wallclock")
                    ))
            }
        }
        return (.each(times), rejects)
    }

    /// What an integer counts, told by the schema's name; milliseconds without one.
    private enum Unit {
        case days, millis, micros, nanos, text

        init?(_ schema: Schema) {
            switch (schema.type, schema.name) {
            case (.int32, LogicalName.connectDate), (.int32, LogicalName.date): self = .days
            case (.int64, LogicalName.microTimestamp): self = .micros
            case (.int64, LogicalName.nanoTimestamp): self = .nanos
            case (.int32, _), (.int64, _): self = .millis
            case (.string, _): self = .text
            default: return nil
            }
        }

        func millis(_ value: Int64) -> Int64 {
            switch self {
            case .days: value &* 86_400_000
            case .millis, .text: value
            case .micros: value.flooredDivision(by: 1000).quotient
            case .nanos: value.flooredDivision(by: 1_000_000).quotient
            }
        }
    }

    private func fill(_ times: inout [Int64], from leaf: Column, _ unit: Unit, _ missing: inout [Int]) {
        if let valid = leaf.validRows { missing = (!valid).setPositions }
        switch leaf.storage {
        case .int32(let v): for row in times.indices { times[row] = unit.millis(Int64(v[row])) }
        case .int64(let v): for row in times.indices { times[row] = unit.millis(v[row]) }
        case .utcMicros(let v, _):
            for row in times.indices {
                times[row] = v[row].flooredDivision(by: 1000).quotient
                if v[row] == .max || v[row] == .min, !leaf.isNull(row) { missing.append(row) }
            }
            missing.sort()
        case .utf8(let v):
            missing = []
            for row in times.indices {
                if !leaf.isNull(row), let time = TimestampText.milliseconds(v[row]) { times[row] = time } else { missing.append(row) }
            }
        case .constant(.integer(let i)): for row in times.indices { times[row] = unit.millis(i) }
        case .constant(.string(let s)):
            if let time = TimestampText.milliseconds(Array(s.utf8)[...]) {
                for row in times.indices { times[row] = time }
            } else {
                missing = Array(times.indices)
            }
        default: missing = Array(times.indices)
        }
        if let unavailable = leaf.unavailable {
            missing = Array(Set(missing).union(unavailable.setPositions)).sorted()
        }
    }
}

/// Walks dotted paths through struct columns.
enum FieldPath {
    /// nil when a step does not exist. A row whose parent is null reads as null.
    static func column(_ path: [String], in column: Column) -> Column? {
        var current = column
        for step in path {
            guard current.schema.type == .struct, let child = current.child(step) else { return nil }
            guard let parent = current.validRows else {
                current = child
                continue
            }
            let validity = child.validRows.map { $0 & parent } ?? parent
            if case .constant(let value) = child.storage, !value.isNull {
                current = child.materialized().with(validity: validity)
            } else {
                current = child.with(validity: validity)
            }
        }
        return current
    }
}

/// Times written as text: digits are milliseconds; otherwise ISO-8601 with date, optional time, fraction and zone (UTC when absent).
enum TimestampText {
    static func milliseconds(_ text: ArraySlice<UInt8>) -> Int64? {
        guard let first = text.first, text.count <= 40 else { return nil }
        let digits = first == UInt8(ascii: "-") ? text.dropFirst() : text
        if digits.count <= 19, !digits.isEmpty, digits.allSatisfy({ $0 &- 48 < 10 }) { return Int64(String(decoding: text, as: UTF8.self)) }
        return iso(text)
    }

    private static func iso(_ text: ArraySlice<UInt8>) -> Int64? {
        var cursor = BoundedReader(Array(text))
        func number(_ width: Int) -> Int? {
            guard let digits = cursor.take(width), digits.allSatisfy({ $0 &- 48 < 10 }) else { return nil }
            return digits.reduce(0) { $0 * 10 + Int($1 - 48) }
        }
        func accept(_ c: Character) -> Bool {
            guard cursor.rest.first == c.asciiValue else { return false }
            return cursor.skip(1)
        }
        guard let year = number(4), accept("-"), let month = number(2), (1...12).contains(month), accept("-"), let day = number(2),
            (1...31).contains(day)
        else { return nil }
        let midnight = ISO8601.day(year: Int64(year), month: month, day: day) * 86_400_000
        guard ISO8601.civil(day: midnight / 86_400_000 - (midnight % 86_400_000 < 0 ? 1 : 0)).day == day else { return nil }
        if cursor.rest.isEmpty { return midnight }
        guard accept("T") || accept(" "), let hour = number(2), hour < 25, accept(":"), let minute = number(2), minute < 60 else { return nil }
        var millis = midnight + Int64(hour * 60 + minute) * 60_000
        if accept(":") {
            guard let second = number(2), second < 61 else { return nil }
            millis += Int64(second) * 1000
            if accept(".") || accept(",") {
                var scale: Int64 = 100, any = false
                while let c = cursor.rest.first, c &- 48 < 10 {
                    millis += Int64(c - 48) * scale
                    scale /= 10
                    any = true
                    _ = cursor.skip(1)
                }
                guard any else { return nil }
            }
        }
        if cursor.rest.isEmpty || (accept("Z") && cursor.rest.isEmpty) { return millis }
        let west = accept("-")
        guard west || accept("+"), let hours = number(2), hours < 24 else { return nil }
        _ = accept(":")
        var minutes = 0
        if !cursor.rest.isEmpty {
            guard let parsed = number(2), parsed < 60, cursor.rest.isEmpty else { return nil }
            minutes = parsed
        }
        return millis - (west ? -1 : 1) * Int64(hours * 60 + minutes) * 60_000
    }
}
