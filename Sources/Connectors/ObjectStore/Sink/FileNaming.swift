import ConnectAPI

/// The names of objects.
///
///     <topics.dir>/<topic>/<directory>/<topic>+<partition>+<start offset, padded><extension>
///
/// or what `file.name.template` says below topics.dir. A name depends on the first record only, so that the same record is met under the same
/// name after a restart.
struct FileNaming: Sendable {
    var topicsDirectory = "topics"
    var directoryDelimiter = "/"
    var fileDelimiter = "+"
    var padWidth = 10
    var fileExtension: String
    var template: NameTemplate?
    /// The directory of tombstones, which has files of keys only; nil: they have none of their own.
    var tombstones: String?
    /// The extensions of files of keys and of headers, where they are written.
    var keysExtension = ".avro"
    var headersExtension = ".avro"

    /// The names a file may have, in the order they are tried: a template may give two files one name, then the second is told apart by
    /// partition and offset.
    func names(topic: String, partition: Int32, directory: String, start: Int64, startTimestamp: Int64) -> [String] {
        let prefix = topicsDirectory.isEmpty ? "" : topicsDirectory + directoryDelimiter
        if let template {
            let name = prefix + template.text(topic: topic, partition: partition, directory: directory, start: start, timestamp: startTimestamp)
            let dot = name.lastIndex(of: "/").map { name[$0...].firstIndex(of: ".") ?? name.endIndex } ?? name.firstIndex(of: ".") ?? name.endIndex
            return [name, "\(name[..<dot])-\(partition)-\(start)\(name[dot...])"]
        }
        let d = directoryDelimiter, f = fileDelimiter
        let name = "\(prefix)\(topic)\(d)\(directory)\(d)\(topic)\(f)\(partition)\(f)\(padded(start))\(fileExtension)"
        return [self.name(kind(directory), beside: name)]
    }

    func kind(_ directory: String) -> Kind { directory == tombstones ? .keys : .value }

    /// The objects a set of records may have.
    enum Kind: String, Sendable { case value, keys, headers }

    /// The object of another kind beside a file: `….keys.avro`.
    func name(_ kind: Kind, beside file: String) -> String {
        let stem = file.hasSuffix(fileExtension) ? String(file.dropLast(fileExtension.count)) : file
        switch kind {
        case .value: return file
        case .keys: return "\(stem).keys\(keysExtension)"
        case .headers: return "\(stem).headers\(headersExtension)"
        }
    }

    /// The empty object whose metadata says what a large file holds (`FactsPlace`).
    func factsName(_ partition: TopicPartition, start: Int64, id: UInt64) -> String {
        let prefix = topicsDirectory.isEmpty ? "" : topicsDirectory + directoryDelimiter, d = directoryDelimiter
        return "\(prefix)_sluice\(d)\(partition.topic)\(d)\(partition.partition)\(d)\(padded(start))-\(String(id, radix: 16))"
    }

    /// What the names of a directory's files of one partition begin with; nil with a template.
    func prefix(topic: String, partition: Int32, directory: String) -> String? {
        guard template == nil else { return nil }
        let prefix = topicsDirectory.isEmpty ? "" : topicsDirectory + directoryDelimiter
        let d = directoryDelimiter, f = fileDelimiter
        return "\(prefix)\(topic)\(d)\(directory)\(d)\(topic)\(f)\(partition)\(f)"
    }

    /// The start offset of a name that `names` gave.
    func start(of name: String, prefix: String) -> Int64? {
        guard name.hasPrefix(prefix) else { return nil }
        for suffix in [".keys\(keysExtension)", fileExtension] where name.hasSuffix(suffix) {
            return Int64(name.dropFirst(prefix.count).dropLast(suffix.count))
        }
        return nil
    }

    private func padded(_ offset: Int64) -> String {
        let digits = String(offset)
        return String(repeating: "0", count: max(0, padWidth - digits.utf8.count)) + digits
    }
}

/// `file.name.template`: `{{table}}/date={{timestamp:format=yyyy-MM-dd}}/{{table}}_{{start_offset}}.parquet`.
struct NameTemplate: Sendable {
    private enum Part: Sendable {
        case text(String)
        case topic, table, directory
        case partition(padded: Bool)
        case startOffset(padded: Bool)
        case timestamp(PathFormat)
    }
    private let parts: [Part]
    private let zone: TimeZoneRules

    /// Throws a sentence about what is wrong.
    init(_ template: String, zone: TimeZoneRules) throws(PathFormat.Mistake) {
        self.zone = zone
        var parts: [Part] = [], rest = template[...]
        while let open = rest.firstRange(of: "{{") {
            if open.lowerBound > rest.startIndex { parts.append(.text(String(rest[..<open.lowerBound]))) }
            guard let close = rest[open.upperBound...].firstRange(of: "}}") else { throw PathFormat.Mistake(description: "A {{ is not closed") }
            let pieces = rest[open.upperBound..<close.lowerBound].split(separator: ":", maxSplits: 1).map { $0.trimmingSpaces() }
            let option = pieces.count > 1 ? pieces[1].split(separator: "=", maxSplits: 1).map(String.init) : []
            let padded = option == ["padding", "true"]
            switch pieces.first ?? "" {
            case "topic": parts.append(.topic)
            case "table": parts.append(.table)
            case "directory": parts.append(.directory)
            case "partition": parts.append(.partition(padded: padded))
            case "start_offset": parts.append(.startOffset(padded: padded))
            case "timestamp" where option.count == 2 && (option[0] == "format" || option[0] == "unit"):
                parts.append(.timestamp(try PathFormat(option[1])))
            case "date": parts.append(.timestamp(try PathFormat("yyyy-MM-dd")))
            case let name:
                throw PathFormat.Mistake(
                    description: "{{\(name)}} is not known; use topic, table, directory, partition, start_offset, date or timestamp:format=yyyy-MM-dd")
            }
            rest = rest[close.upperBound...]
        }
        if !rest.isEmpty { parts.append(.text(String(rest))) }
        self.parts = parts
    }

    func text(topic: String, partition: Int32, directory: String, start: Int64, timestamp: Int64) -> String {
        parts.map { part in
            switch part {
            case .text(let text): text
            case .topic: topic
            case .table: topic.split(separator: ".").last.map(String.init) ?? topic
            case .directory: directory
            case .partition(let padded): padded ? pad(Int64(partition), 10) : String(partition)
            case .startOffset(let padded): padded ? pad(start, 20) : String(start)
            case .timestamp(let format): format.text(localMilliseconds: timestamp + zone.offset(at: timestamp))
            }
        }.joined()
    }

    private func pad(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}

extension StringProtocol {
    fileprivate func firstRange(of needle: String) -> Range<Index>? {
        var at = startIndex
        while at < endIndex {
            if self[at...].hasPrefix(needle) { return at..<index(at, offsetBy: needle.count) }
            at = index(after: at)
        }
        return nil
    }
}
