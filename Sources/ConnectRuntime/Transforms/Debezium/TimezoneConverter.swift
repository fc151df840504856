import ConnectAPI

/// `io.debezium.transforms.TimezoneConverter`: moves the times of change events to another time zone.
///
/// Times with a zone stay the same instant and show the zone's clocks; times without one are taken for the zone's local time and become the
/// instant it means. Rules pick tables or topics and their columns; what a batch needs is decided once for each table in it.
struct TimezoneConverter: Transform {
    static let className = "io.debezium.transforms.TimezoneConverter"

    struct Configuration: ConnectConfiguration {
        @Field(
            "converted.timezone", importance: .high, doc: "A zone such as Europe/Berlin, or an offset such as +08:00", order: 1, width: .medium,
            displayName: "Converted Timezone",
            check: Check {
                (try? TimeZoneRules($0)) == nil
                    ? "Invalid timezone format. Please specify either a geographic timezone (e.g. America/Los_Angeles) or a UTC offset in the format of +/-hh:mm, (e.g. +08:00)."
                    : nil
            }, mandatory: true)
        var zone: String?
        @Field(
            "include.list", importance: .high, doc: "What to convert: source:table, source:table:column, topic:name, topic:name:column or name:column",
            order: 1,
            width: .medium, displayName: "Include List", check: ruleCheck("include"))
        var included: [String]?
        @Field(
            "exclude.list", importance: .high, doc: "What not to convert, in the same form", order: 1, width: .medium, displayName: "Exclude List",
            check: ruleCheck("exclude"))
        var excluded: [String]?
        init() {}

        func crossCheck() -> [Diagnostic] {
            guard !(included ?? []).isEmpty, !(excluded ?? []).isEmpty else { return [] }
            return [Diagnostic("exclude.list", "Both include and exclude lists are specified. Please specify only one.")]
        }

        private static func ruleCheck(_ list: String) -> Check {
            Check { text in
                let rules = ([String](configText: text) ?? []).map { $0.split(separator: ":", omittingEmptySubsequences: false) }
                let isFine = rules.allSatisfy { (1...3).contains($0.count) && !$0.contains("") } && rules.first.map { $0.count > 1 } ?? true
                return isFine
                    ? nil
                    : "Invalid \(list) list format. Please specify a list of rules in the format of \"source:<tablename>:<fieldnames>\", \"topic:<topicname>:<fieldnames>\", \"<matchname>:<fieldnames>\""
            }
        }
    }

    /// Which columns of a table are converted.
    private enum Selection {
        case none, all
        case only(Set<String>)
        case allBut(Set<String>)

        func picks(_ name: String) -> Bool {
            switch self {
            case .none: false
            case .all: true
            case .only(let names): names.contains(name)
            case .allBut(let names): !names.contains(name)
            }
        }
    }

    private let zone: TimeZoneRules
    private let isExcluding: Bool
    private let hasRules: Bool
    private var topics: [String: Set<String>] = [:]
    private var tables: [String: Set<String>] = [:]
    private var either: [String: Set<String>] = [:]

    init(_ configuration: Configuration) throws {
        guard let zone = try? TimeZoneRules(configuration.zone ?? "") else { throw TransformError.config("There is no time zone \(configuration.zone ?? "")") }
        self.zone = zone
        let excluded = configuration.excluded ?? [], rules = excluded.isEmpty ? configuration.included ?? [] : excluded
        isExcluding = !excluded.isEmpty
        hasRules = !rules.isEmpty
        // A rule without a prefix has that of the rule before.
        var prefix: Substring?
        for rule in rules {
            var parts = rule.split(separator: ":")[...]
            if parts.count > 1, let first = parts.first, ["source", "topic"].contains(first.lowercased()) {
                prefix = first
                parts.removeFirst()
            }
            let name = String(parts.first ?? ""), column = parts.dropFirst().first.map { [String($0)] } ?? []
            switch prefix?.lowercased() {
            case "topic": topics[name, default: []].formUnion(column)
            case "source": tables[name, default: []].formUnion(column)
            default: either[name, default: []].formUnion(column)
            }
        }
    }

    func apply(_ input: TransformedBatch) throws -> [TransformedBatch] {
        let batch = input.batch
        guard let envelope = batch.value, Envelope.isNamed(envelope.schema) else { return [input] }
        let table = envelope.child("source").flatMap { $0.schema.type == .struct ? $0.member("table") : nil }
        return try input.runs { table?[$0].stringValue ?? "" }.map { table, part in
            guard let envelope = part.batch.value else { return part }
            var out = part
            out.batch.value = try converted(envelope, rules(table: table, topic: batch.topic))
            return out
        }
    }

    /// nil: every column, without a rule that names any.
    private func rules(table: String, topic: String) -> (selection: Selection, names: Set<String>) {
        guard hasRules else { return (.all, []) }
        guard let names = topics[topic] ?? tables[table] ?? either[topic] ?? either[table] else { return (isExcluding ? .all : .none, []) }
        if names.isEmpty { return (isExcluding ? .none : .all, []) }
        return (isExcluding ? .allBut(names) : .only(names), names)
    }

    private func converted(_ envelope: Column, _ rules: (selection: Selection, names: Set<String>)) throws -> Column {
        var members = StructColumns(envelope, replacingNulls: false)
        for side in ["before", "after"] {
            guard let place = members.index(of: side), members.columns[place].schema.type == .struct else { continue }
            // A rule's column may name the side it is about.
            let own = rules.names.isEmpty ? rules.selection : Self.selection(rules, side: side)
            members.columns[place] = try row(members.columns[place], own)
        }
        if let place = members.index(of: "source"), members.columns[place].schema.type == .struct {
            let named = Set(rules.names.compactMap { $0.hasPrefix("source.") ? String($0.dropFirst(7)) : nil })
            if !named.isEmpty {
                let selection: Selection = if case .allBut = rules.selection { .allBut(named) } else { .only(named) }
                members.columns[place] = source(members.columns[place], selection)
            }
        }
        return members.column(keeping: envelope)
    }

    private static func selection(_ rules: (selection: Selection, names: Set<String>), side: String) -> Selection {
        let sides = ["before.", "after.", "source."]
        let names = Set(
            rules.names.compactMap { name -> String? in
                if name.hasPrefix(side + ".") { return String(name.dropFirst(side.count + 1)) }
                return sides.contains(where: name.hasPrefix) ? nil : name
            })
        if case .allBut = rules.selection { return .allBut(names) }
        return .only(names)
    }

    private func row(_ row: Column, _ selection: Selection) throws -> Column {
        var members = StructColumns(row, replacingNulls: false)
        for (i, name) in members.names.enumerated() where selection.picks(name) { members.columns[i] = try converted(members.columns[i]) }
        return members.column(keeping: row)
    }

    // MARK: Columns

    /// Seconds east of UTC at an instant in seconds.
    private func offset(at instant: Int64) -> Int64 { zone.offset(at: Self.milliseconds(instant)) / 1000 }

    /// Seconds east of UTC where the zone's clocks show this local time, in seconds.
    private func offset(atLocal local: Int64) -> Int64 {
        let milliseconds = Self.milliseconds(local)
        return (milliseconds - zone.instant(local: milliseconds)) / 1000
    }

    /// A text may name a year no zone knows anything of.
    private static func milliseconds(_ seconds: Int64) -> Int64 { min(max(seconds, .min / 2000), .max / 2000) * 1000 }

    private func converted(_ column: Column) throws -> Column {
        switch column.schema.name {
        case LogicalName.timestamp, LogicalName.connectTimestamp: shifted(column, perSecond: 1000)
        case LogicalName.microTimestamp: shifted(column, perSecond: 1_000_000)
        case LogicalName.nanoTimestamp: shifted(column, perSecond: 1_000_000_000)
        case LogicalName.zonedTimestamp: try zoned(column)
        case LogicalName.zonedTime: try zonedTimes(column)
        default: column
        }
    }

    /// Local times become the instants they mean.
    private func shifted(_ column: Column, perSecond: Int64) -> Column {
        if case .constant(.null) = column.storage { return column }
        guard case .int64(let values) = column.materialized().storage else { return column }
        return Column(
            column.schema, count: column.count,
            .int64(values.map { $0 &- offset(atLocal: $0.flooredDivision(by: perSecond).quotient) &* perSecond }), validity: column.validRows,
            unavailable: column.unavailable)
    }

    /// The times of the `source` block are instants and are shown by the zone's clocks.
    private func source(_ source: Column, _ selection: Selection) -> Column {
        let units: [String: Int64] = ["ts_ms": 1000, "ts_us": 1_000_000, "ts_ns": 1_000_000_000]
        var members = StructColumns(source, replacingNulls: false)
        for (i, name) in members.names.enumerated() where selection.picks(name) {
            guard let unit = units[name], case .int64(let values) = members.columns[i].materialized().storage else { continue }
            let old = members.columns[i]
            members.columns[i] = Column(
                old.schema, count: old.count,
                .int64(values.map { $0 &+ offset(at: $0.flooredDivision(by: unit).quotient) &* unit }), validity: old.validRows)
        }
        return members.column(keeping: source)
    }

    private func zoned(_ column: Column) throws -> Column {
        if case .utcMicros(let micros, _) = column.storage {
            var texts = VarBytes()
            for row in micros.indices {
                if column.isNull(row) || micros[row] == .max || micros[row] == .min {
                    texts.append((column[row].stringValue ?? "").utf8)
                } else {
                    // Seen from UTC, the local time is the instant's.
                    let seconds = micros[row].flooredDivision(by: 1_000_000)
                    texts.append(OffsetTimestamp(seconds: seconds.quotient, nanos: seconds.remainder * 1000).text(offset(atLocal: seconds.quotient)))
                }
            }
            return Column(column.schema, count: column.count, .utf8(texts), validity: column.validity, unavailable: column.unavailable)
        }
        return try texts(column) { text in
            guard let time = OffsetTimestamp(text) else { return nil }
            return String(decoding: time.text(offset(atLocal: time.seconds + time.offset)), as: UTF8.self)
        }
    }

    private func zonedTimes(_ column: Column) throws -> Column {
        let offset = offset(at: WallClock.milliseconds / 1000)
        return try texts(column) { text in
            guard let time = OffsetTimestamp("1970-01-01T" + text) else { return nil }
            return String(decoding: time.text(offset).dropFirst(11), as: UTF8.self)
        }
    }

    private func texts(_ column: Column, _ convert: (String) -> String?) throws -> Column {
        let values = try (0..<column.count).map { row -> Value in
            guard let text = column[row].stringValue else { return .null }
            guard let converted = convert(text) else {
                throw ConnectorError("transform.timezone", .reject, "A value of \(column.schema.name ?? "a time") is no ISO-8601 time with an offset")
            }
            return .string(converted)
        }
        let made = Column(column.schema, values)
        return Column(column.schema, count: column.count, made.storage, validity: made.validity, unavailable: column.unavailable)
    }
}
