import ConnectAPI
import Parquet

/// What the sink says about a file where the store keeps it, and reads back after a crash: which records it holds.
struct FileFacts: Sendable, Equatable {
    var start: Int64
    /// The last offset of the file.
    var end: Int64
    var count: Int
    var connector: String
    /// Milliseconds of the record at `start`: tells a topic that was created anew from the one that was stored.
    var startTimestamp: Int64
    /// The log partition the records came from, as `topic-partition`: a template may leave it out of the name. nil: not said.
    var source: String?

    init(start: Int64, end: Int64, count: Int, connector: String, startTimestamp: Int64, source: String?) {
        self.start = start
        self.end = end
        self.count = count
        self.connector = connector
        self.startTimestamp = startTimestamp
        self.source = source
    }

    /// Whether both begin with the very same record of the same connector.
    func beginsAs(_ other: FileFacts) -> Bool {
        start == other.start && connector == other.connector && startTimestamp == other.startTimestamp
            && (source == nil || other.source == nil || source == other.source)
    }

    var metadata: [String: String] {
        var metadata = [
            "kafka-start": String(start), "kafka-end": String(end), "kafka-count": String(count), "kafka-connector": PercentCoding.encode(connector),
            "kafka-start-timestamp": String(startTimestamp),
        ]
        if let source { metadata["kafka-source"] = PercentCoding.encode(source) }
        return metadata
    }

    /// nil when the object was not written by this sink.
    init?(_ metadata: [String: String]) {
        guard let start = metadata["kafka-start"].flatMap({ Int64($0) }), let end = metadata["kafka-end"].flatMap({ Int64($0) }), end >= start,
            let connector = metadata["kafka-connector"]
        else { return nil }
        self.start = start
        self.end = end
        count = metadata["kafka-count"].flatMap { Int($0) } ?? 0
        self.connector = PercentCoding.decode(connector)
        startTimestamp = metadata["kafka-start-timestamp"].flatMap { Int64($0) } ?? -1
        source = metadata["kafka-source"].map { PercentCoding.decode($0) }
    }
}

/// Where a file's facts are.
///
/// A file that is sent as a whole carries them in its metadata. One whose first bytes leave before its last record is known cannot: S3 fixes
/// metadata when an upload begins. Its metadata says where to look instead (`kafka-facts`): in the file's own footer (Parquet), or in the
/// metadata of an empty object that is written before the file becomes visible. That object's name is drawn anew for every upload, so it
/// speaks of exactly the file that names it, whichever attempt of whichever task that was.
enum FactsPlace: Sendable, Equatable {
    case metadata
    case footer
    case object(String)

    static let key = "kafka-facts"

    /// The metadata a streamed file begins with.
    func announcement(_ file: FileIdentity) -> [String: String] {
        var metadata = file.metadata(file.facts(end: file.start, count: 0))
        metadata["kafka-end"] = nil
        metadata["kafka-count"] = nil
        switch self {
        case .metadata: break
        case .footer: metadata[Self.key] = "footer"
        case .object(let name): metadata[Self.key] = "object:" + PercentCoding.encode(name)
        }
        return metadata
    }

    init(_ metadata: [String: String]) {
        let text = metadata[Self.key] ?? ""
        self = text == "footer" ? .footer : text.hasPrefix("object:") ? .object(PercentCoding.decode(String(text.dropFirst(7)))) : .metadata
    }
}

/// What is under a key.
enum StoredFile: Sendable, Equatable {
    case absent
    /// Not a file of this sink, or one that does not say what it holds.
    case foreign
    case file(FileFacts)

    static func look(at key: String, in store: any ObjectStore) async throws -> StoredFile {
        guard let object = try await store.head(key) else { return .absent }
        var metadata = object.metadata
        switch FactsPlace(metadata) {
        case .metadata: break
        case .object(let name): metadata = try await store.head(name)?.metadata ?? [:]
        case .footer: metadata = try await footer(of: key, object.size, store)
        }
        return FileFacts(metadata).map { .file($0) } ?? .foreign
    }

    private static func footer(of key: String, _ size: Int64, _ store: any ObjectStore) async throws -> [String: String] {
        guard let footer = try await store.footer(of: key, size) else { return [:] }
        return Dictionary(footer.pairs.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
    }
}

extension ObjectStore {
    /// The footer of a Parquet file of this size; nil: it has none, or is gone.
    func footer(of key: String, _ size: Int64) async throws -> ParquetFooter? {
        // Most footers fit; a longer one is read once more.
        var wanted = min(size, 64 << 10)
        while let tail = try await read(key, size - wanted..<size) {
            switch ParquetFooter.read(tail, fileSize: size) {
            case .footer(let footer): return footer
            case .needs(let bytes) where Int64(bytes) > wanted: wanted = Int64(bytes)
            case .needs, .notParquet: return nil
            }
        }
        return nil
    }
}
