import ConnectAPI

/// `file.name.template`: `{{topic}}/{{timestamp:unit=yyyy}}/{{topic}}-{{partition:padding=true}}-{{start_offset:padding=true}}.gz`.
///
/// The variables and parameters are those of Aiven's connectors, and ours. A variable is one of two kinds:
///
///     of the file     topic, table, partition, start_offset, counter, uuid, directory, timestamp finer than an hour
///     of the record   key, field:<path>, date, timestamp no finer than an hour: they divide records among files (`TemplateGroups`)
///
/// With `dividing: false` (a partitioner divides the records) every timestamp is that of the file's first record.
struct NameTemplate: Sendable {
    /// What divides records, in the order of the template.
    enum Group: Sendable, Equatable {
        case key
        case field([String])
        case time(PathFormat)
    }

    private enum Part: Sendable {
        case text(String)
        case topic, table, directory, counter, uuid
        case partition(padded: Bool)
        case startOffset(padded: Bool)
        case timestamp(PathFormat)
        /// A group's text, by its place in `groups`.
        case group(Int)
    }
    private let parts: [Part]
    let groups: [Group]
    private let zone: TimeZoneRules

    /// Separates the texts of groups in a directory's name.
    static let separator = "\u{1F}"

    typealias Mistake = PathFormat.Mistake

    /// Throws a sentence about what is wrong.
    init(_ template: String, zone: TimeZoneRules, dividing: Bool = false) throws(Mistake) {
        self.zone = zone
        var parts: [Part] = [], groups: [Group] = [], rest = template[...]
        while let open = rest.firstRange(of: "{{") {
            if open.lowerBound > rest.startIndex { parts.append(.text(String(rest[..<open.lowerBound]))) }
            guard let close = rest[open.upperBound...].firstRange(of: "}}") else { throw Mistake(description: "A {{ is not closed") }
            let part = try Self.part(Variable(rest[open.upperBound..<close.lowerBound]), dividing)
            if let group = part.group {
                parts.append(.group(groups.count))
                groups.append(group)
            } else if let plain = part.plain {
                parts.append(plain)
            }
            rest = rest[close.upperBound...]
        }
        if !rest.isEmpty { parts.append(.text(String(rest))) }
        guard parts.contains(where: { if case .text = $0 { false } else { true } }) else {
            throw Mistake(description: "The template has no variable, so that all files would have one name; \(Self.known)")
        }
        self.parts = parts
        self.groups = groups
    }

    private static let known =
        "use topic, table, partition, start_offset, key, timestamp:unit=yyyy, timestamp:format=yyyy-MM-dd, date, field:<path>, counter or uuid"

    /// `name:parameter=value`, blanks around it dropped.
    private struct Variable {
        let name: String
        let parameter: String
        let value: String

        init(_ text: Substring) throws(Mistake) {
            let pieces = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            name = pieces[0].trimmingSpaces()
            if name.isEmpty { throw Mistake(description: "A variable between {{ and }} has no name") }
            let option = pieces.count > 1 ? pieces[1].split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false) : []
            parameter = option.first?.trimmingSpaces() ?? ""
            value = option.count > 1 ? option[1].trimmingSpaces() : ""
            if pieces.count > 1, parameter.isEmpty { throw Mistake(description: "{{\(name):}} has no parameter") }
        }

        var isPadded: Bool {
            get throws(Mistake) {
                switch (parameter, value) {
                case ("", ""), ("padding", "false"): return false
                case ("padding", "true"): return true
                default: throw Mistake(description: "{{\(name)}} takes the parameter padding=true or padding=false")
                }
            }
        }
    }

    private static func part(_ variable: Variable, _ dividing: Bool) throws(Mistake) -> (plain: Part?, group: Group?) {
        func bare(_ part: Part) throws(Mistake) -> (plain: Part?, group: Group?) {
            guard variable.parameter.isEmpty else { throw Mistake(description: "{{\(variable.name)}} takes no parameter") }
            return (part, nil)
        }
        func time(_ format: PathFormat) -> (plain: Part?, group: Group?) { dividing && format.isCoarse ? (nil, .time(format)) : (.timestamp(format), nil) }
        switch variable.name {
        case "topic": return try bare(.topic)
        case "table": return try bare(.table)
        case "counter": return try bare(.counter)
        case "uuid": return try bare(.uuid)
        case "directory" where !dividing: return try bare(.directory)
        case "partition": return (.partition(padded: try variable.isPadded), nil)
        case "start_offset": return (.startOffset(padded: try variable.isPadded), nil)
        case "date": return time(try PathFormat("yyyy-MM-dd"))
        case "timestamp":
            switch (variable.parameter, variable.value) {
            // The upper-case form is an older spelling, which Aiven's connectors replace too.
            case ("unit", "YYYY"): return time(try PathFormat("yyyy"))
            case ("unit", "yyyy"), ("unit", "MM"), ("unit", "dd"), ("unit", "HH"): return time(try PathFormat(variable.value))
            case ("format", let pattern) where !pattern.isEmpty: return time(try PathFormat(pattern))
            default:
                throw Mistake(
                    description:
                        "parameter unit is required for the variable timestamp, supported values are: yyyy|MM|dd|HH; or format=yyyy-MM-dd and the like")
            }
        case "key" where dividing:
            _ = try bare(.topic)
            return (nil, .key)
        case "field" where dividing:
            guard !variable.parameter.isEmpty, variable.value.isEmpty else { throw Mistake(description: "Write a field as {{field:customer.country}}") }
            return (nil, .field(variable.parameter.split(separator: ".").map(String.init)))
        case "key", "field":
            throw Mistake(description: "{{\(variable.name)}} divides records, which partitioner.class does here: use FieldPartitioner and {{directory}}")
        case "end_offset":
            throw Mistake(
                description:
                    "{{end_offset}} cannot be used: a file's bytes are sent, and looked for after a crash, under a name that is told from its first record. {{start_offset}} makes names unique; a file's metadata have its end (kafka-end)"
            )
        default: throw Mistake(description: "{{\(variable.name)}} is not known; \(known)")
        }
    }

    // MARK: What it means

    /// One object a key, which the newest record of the key replaces.
    var isCompacting: Bool {
        groups.contains(.key)
            && !parts.contains { part in
                switch part {
                case .startOffset, .counter, .uuid, .timestamp: true
                case .group(let i): if case .time = groups[i] { true } else { false }
                case .text, .topic, .table, .directory, .partition: false
                }
            }
    }

    /// No two files of a topic have one name: an offset begins one file.
    var tellsFilesApart: Bool {
        drawsNames || parts.contains { if case .partition = $0 { true } else { false } } && parts.contains { if case .startOffset = $0 { true } else { false } }
    }

    /// What divides records stands in the name itself, after the last directory: files of one directory may be of several groups.
    var dividesInNames: Bool {
        let name = parts.lastIndex { if case .text(let text) = $0 { text.contains("/") } else { false } }.map { $0 + 1 } ?? 0
        return parts[name...].contains { part in
            switch part {
            case .group, .directory: true
            case .text, .topic, .table, .counter, .uuid, .partition, .startOffset, .timestamp: false
            }
        }
    }

    /// What all names of a topic begin with, as far as that is known.
    func prefix(topic: String) -> String {
        var text = ""
        for part in parts {
            switch part {
            case .text(let own): text += own
            case .topic: text += topic
            case .table: text += Self.table(topic)
            case .directory, .counter, .uuid, .partition, .startOffset, .timestamp, .group: return text
            }
        }
        return text
    }

    /// The extension that all names end with; empty when there is none.
    var suffix: String {
        guard case .text(let text)? = parts.last else { return "" }
        let name = text[(text.lastIndex(of: "/").map { text.index(after: $0) } ?? text.startIndex)...]
        return name.firstIndex(of: ".").map { String(name[$0...]) } ?? ""
    }

    private static func table(_ topic: String) -> String { topic.split(separator: ".").last.map(String.init) ?? topic }

    /// The name depends on more than the file's first record: it is not met again after a restart.
    var countsFiles: Bool { parts.contains { if case .counter = $0 { true } else { false } } }
    var drawsNames: Bool { parts.contains { if case .uuid = $0 { true } else { false } } }

    var hasTimes: Bool {
        parts.contains { if case .timestamp = $0 { true } else { false } } || groups.contains { if case .time = $0 { true } else { false } }
    }

    /// `counter` counts the files of a task from 0; `uuid` is a file's own.
    func text(
        topic: String, partition: Int32, directory: String, start: Int64, timestamp: Int64, counter: Int = 0, uuid: @autoclosure () -> String = ""
    ) -> String {
        let texts = groups.isEmpty ? [] : directory.split(separator: Self.separator, omittingEmptySubsequences: false)
        return parts.map { part in
            switch part {
            case .text(let text): text
            case .topic: topic
            case .table: Self.table(topic)
            case .directory: directory
            case .counter: String(counter)
            case .uuid: uuid()
            case .partition(let padded): padded ? pad(Int64(partition), 10) : String(partition)
            case .startOffset(let padded): padded ? pad(start, 20) : String(start)
            case .timestamp(let format): format.text(localMilliseconds: timestamp &+ zone.offset(at: timestamp))
            case .group(let i): i < texts.count ? String(texts[i]) : ""
            }
        }.joined()
    }

    /// What a name looks like.
    var sample: String {
        text(topic: "t", partition: 0, directory: groups.map { _ in "0" }.joined(separator: Self.separator), start: 0, timestamp: 0)
    }

    private func pad(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}

extension PathFormat {
    /// No finer than an hour: records of one hour have one text.
    var isCoarse: Bool {
        !tokens.contains { token in
            switch token {
            case .minute, .second, .fraction: true
            case .literal, .year, .month, .day, .dayOfYear, .hour: false
            }
        }
    }
}

extension StringProtocol {
    func firstRange(of needle: String) -> Range<Index>? {
        var at = startIndex
        while at < endIndex {
            if self[at...].hasPrefix(needle) { return at..<index(at, offsetBy: needle.count) }
            at = index(after: at)
        }
        return nil
    }

    func lastRange(of needle: String) -> Range<Index>? {
        guard !needle.isEmpty else { return nil }
        var at = endIndex
        while at > startIndex {
            at = index(before: at)
            if self[at...].hasPrefix(needle) { return at..<index(at, offsetBy: needle.count) }
        }
        return nil
    }
}
