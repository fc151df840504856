import ConnectAPI
import JSON

/// What a merge is to do, written down before it is done: whoever finds it does exactly that.
struct CompactionPlan: Sendable, Equatable {
    struct Source: Sendable, Equatable {
        var key: String
        var size: Int64
        var start: Int64
        /// The last offset of the file.
        var end: Int64
        var count: Int

        /// Whether it can be of a file: sums over a plan do not overflow.
        var isSound: Bool { size > 0 && size <= 1 << 40 && end >= start && count > 0 && count <= 1 << 40 }
    }

    /// Counts the plans of a partition from 0, without a gap.
    var number: Int64
    /// Drawn anew for every plan; the merged file bears it in its metadata and its name, so that no two plans ever write one name.
    var id: String
    var connector: String
    /// The log partition the records came from, as `topic-partition`.
    var source: String
    /// Milliseconds of the first record.
    var startTimestamp: Int64
    /// The key of the merged file.
    var target: String
    /// In the order of their offsets; two at least.
    var sources: [Source]

    /// What the merged file holds.
    var facts: FileFacts {
        FileFacts(
            start: sources[0].start, end: sources[sources.count - 1].end, count: sources.reduce(0) { $0 + $1.count }, connector: connector,
            startTimestamp: startTimestamp, source: source)
    }

    var metadata: [String: String] { facts.metadata.merging([mergedMetadataKey: id]) { $1 } }

    static func drawID() -> String {
        let digits = String(UInt32.random(in: 0...UInt32.max), radix: 16)
        return String(repeating: "0", count: 8 - digits.utf8.count) + digits
    }

    init(number: Int64, id: String, connector: String, source: String, startTimestamp: Int64, target: String, sources: [Source]) {
        (self.number, self.id, self.connector, self.source) = (number, id, connector, source)
        (self.startTimestamp, self.target, self.sources) = (startTimestamp, target, sources)
    }

    var json: [UInt8] {
        JSONValue.object([
            ("number", .integer(number)), ("id", .string(id)), ("connector", .string(connector)), ("source", .string(source)),
            ("startTimestamp", .integer(startTimestamp)), ("target", .string(target)),
            (
                "sources",
                .array(
                    sources.map {
                        .object([
                            ("key", .string($0.key)), ("size", .integer($0.size)), ("start", .integer($0.start)), ("end", .integer($0.end)),
                            ("count", .integer(Int64($0.count))),
                        ])
                    })
            ),
        ]).compactBytes
    }

    /// nil when it is no plan.
    init?(_ json: [UInt8]) {
        guard let value = try? JSONValue.parse(json), let number = value["number"]?.integerValue, (0..<Int64.max).contains(number),
            let id = value["id"]?.stringValue, let connector = value["connector"]?.stringValue, let source = value["source"]?.stringValue,
            let startTimestamp = value["startTimestamp"]?.integerValue, let target = value["target"]?.stringValue,
            let listed = value["sources"]?.arrayValue, (2...CompactionPolicy.maxFiles).contains(listed.count)
        else { return nil }
        let sources = listed.compactMap { Source($0) }
        // A merged file is none of its sources, and they follow each other.
        guard sources.count == listed.count, !sources.contains(where: { $0.key == target }), zip(sources, sources.dropFirst()).allSatisfy({ $0.end < $1.start })
        else { return nil }
        self.init(number: number, id: id, connector: connector, source: source, startTimestamp: startTimestamp, target: target, sources: sources)
    }
}

extension CompactionPlan.Source {
    fileprivate init?(_ json: JSONValue) {
        guard let key = json["key"]?.stringValue, let size = json["size"]?.integerValue, let start = json["start"]?.integerValue,
            let end = json["end"]?.integerValue, let count = json["count"]?.integerValue
        else { return nil }
        self.init(key: key, size: size, start: start, end: end, count: Int(count))
        guard isSound else { return nil }
    }
}
