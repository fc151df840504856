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
    /// What names begin with, before `topicsDirectory`: `file.name.prefix`, which may end within a name.
    var namePrefix = ""
    /// The directory of tombstones, which has files of keys only; nil: they have none of their own.
    var tombstones: String?
    /// The extensions of files of keys and of headers, where they are written.
    var keysExtension = ".avro"
    var headersExtension = ".avro"

    /// The time that names show.
    var times = TimestampExtractor.record
    var usesWallClock: Bool { if case .wallclock = times { true } else { false } }

    /// A name depends on its file's first record alone, so that it is met again when the records are read again.
    var isMetAgain: Bool { template.map { !$0.countsFiles && !$0.drawsNames && !(usesWallClock && $0.hasTimes) } ?? true }

    /// No two files may ever have one name: what a ledger lists is made visible later, and then there is no other choice.
    var isUnique = false

    /// The names a file may have, in the order they are tried: a template may give two files one name, then the second is told apart by
    /// partition and offset. `counter` counts the files of a task from 0; `uuid` is a file's own.
    func names(
        topic: String, partition: Int32, directory: String, start: Int64, time: Int64, counter: Int = 0, uuid: @autoclosure () -> String = ""
    ) -> [String] {
        let prefix = self.prefix
        if let template {
            let name =
                prefix
                + template.text(topic: topic, partition: partition, directory: directory, start: start, timestamp: time, counter: counter, uuid: uuid())
            if isUnique, template.tellsFilesApart { return [name] }
            let dot = name.lastIndex(of: "/").map { name[$0...].firstIndex(of: ".") ?? name.endIndex } ?? name.firstIndex(of: ".") ?? name.endIndex
            let toldApart = "\(name[..<dot])-\(partition)-\(start)\(name[dot...])"
            return isUnique ? [toldApart] : [name, toldApart]
        }
        let name = "\(filePrefix(topic: topic, partition: partition, directory: directory))\(padded(start))\(fileExtension)"
        return [self.name(kind(directory), beside: name)]
    }

    /// What the names of a partition's files in a directory begin with, where no template says otherwise.
    func filePrefix(topic: String, partition: Int32, directory: String) -> String {
        let d = directoryDelimiter, f = fileDelimiter
        return "\(prefix)\(topic)\(d)\(directory)\(d)\(topic)\(f)\(partition)\(f)"
    }

    /// Not what is beside a file.
    func isValueFile(_ name: String) -> Bool {
        name.hasSuffix(fileExtension) && !name.hasSuffix(".keys\(keysExtension)") && !name.hasSuffix(".headers\(headersExtension)")
    }

    /// The object that lists the files of a directory once it is closed.
    func manifestName(_ lane: Lane.Identity, directory: String) -> String {
        let d = directoryDelimiter
        return "\(prefix)_manifest\(d)\(lane.topic)\(d)\(directory)\(d)\(lane.partition.partition).json"
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

    var prefix: String { namePrefix + (topicsDirectory.isEmpty ? "" : topicsDirectory + directoryDelimiter) }

    /// What all names of a topic begin with.
    func topicPrefix(_ topic: String) -> String { prefix + topic + directoryDelimiter }

    /// The empty object whose metadata says what a large file holds (`FactsPlace`).
    func factsName(_ partition: TopicPartition, start: Int64, id: UInt64) -> String {
        let d = directoryDelimiter
        return "\(prefix)_sluice\(d)\(partition.topic)\(d)\(partition.partition)\(d)\(padded(start))-\(String(id, radix: 16))"
    }

    // MARK: Chains

    /// Where sealed files lie in a store that hides them under names; ends in a slash.
    var hiddenDirectory: String { "\(prefix)_sealed/" }

    /// Objects of a lane that are numbered one after the other.
    enum Chain: String {
        case ledger = "_ledger"
        case compaction = "_compact"
    }

    /// Where the objects of a chain are; ends in the delimiter.
    func chainDirectory(_ chain: Chain, _ lane: Lane.Identity) -> String {
        let d = directoryDelimiter
        return "\(prefix)\(chain.rawValue)\(d)\(lane.topic)\(d)\(lane.partition.partition)\(d)"
    }

    /// Numbers count down in names, so that the newest is the first of a listing.
    private static let lastChainNumber: Int64 = 999_999_999_999

    func chainName(_ chain: Chain, _ lane: Lane.Identity, _ number: Int64) -> String {
        "\(chainDirectory(chain, lane))\(Self.pad(Self.lastChainNumber - number, 12)).json"
    }

    func chainNumber(_ key: String, in directory: String) -> Int64? {
        guard key.hasPrefix(directory), key.hasSuffix(".json"), let digits = Int64(key.dropFirst(directory.count).dropLast(5)),
            (0...Self.lastChainNumber).contains(digits)
        else { return nil }
        return Self.lastChainNumber - digits
    }

    /// Whether an upload is of a lane's file, by Confluent's names.
    func isName(_ key: String, of lane: Lane.Identity) -> Bool {
        template == nil
            && (key.split(separator: directoryDelimiter).last ?? "").hasPrefix("\(lane.topic)\(fileDelimiter)\(lane.partition.partition)\(fileDelimiter)")
    }

    func padded(_ offset: Int64) -> String { Self.pad(offset, padWidth) }

    private static func pad(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
