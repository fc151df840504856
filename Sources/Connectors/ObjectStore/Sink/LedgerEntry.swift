import ConnectAPI
import JSON

/// One entry of a ledger: a set of files that became part of the store together, and where their partition goes on.
struct LedgerEntry: Sendable, Equatable {
    /// A record by which a topic that was created anew is told from the one that was stored.
    struct Record: Sendable, Equatable {
        var offset: Int64
        var timestamp: Int64
    }

    /// Counts the entries of a partition from 0, without a gap.
    var number: Int64
    /// Drawn anew for every set; its files bear it in their metadata.
    var id: String
    var connector: String
    /// The first record of the set.
    var first: Record
    /// The first record of the ledger.
    var origin: Record
    /// The offset after the last record: everything before it is stored.
    var next: Int64
    var files: [SealedFile]

    var json: [UInt8] {
        func record(_ record: Record) -> JSONValue { .object([("offset", .integer(record.offset)), ("timestamp", .integer(record.timestamp))]) }
        return JSONValue.object([
            ("number", .integer(number)), ("id", .string(id)), ("connector", .string(connector)), ("first", record(first)), ("origin", record(origin)),
            ("next", .integer(next)), ("files", .array(files.map(\.json))),
        ]).compactBytes
    }

    /// nil when it is no entry.
    init?(_ json: [UInt8]) {
        guard let value = try? JSONValue.parse(json), let number = value["number"]?.integerValue, let id = value["id"]?.stringValue,
            let connector = value["connector"]?.stringValue, let first = value["first"].flatMap(Record.init), let origin = value["origin"].flatMap(Record.init),
            let next = value["next"]?.integerValue, number >= 0, number < .max, next > first.offset, let files = value["files"]?.arrayValue
        else { return nil }
        self.init(
            number: number, id: id, connector: connector, first: first, origin: origin, next: next, files: files.compactMap { SealedFile($0) })
        guard self.files.count == files.count else { return nil }
    }

    init(number: Int64, id: String, connector: String, first: Record, origin: Record, next: Int64, files: [SealedFile]) {
        (self.number, self.id, self.connector, self.first, self.origin, self.next, self.files) = (number, id, connector, first, origin, next, files)
    }
}

extension LedgerEntry.Record {
    fileprivate init?(_ json: JSONValue) {
        guard let offset = json["offset"]?.integerValue, let timestamp = json["timestamp"]?.integerValue else { return nil }
        self.init(offset: offset, timestamp: timestamp)
    }
}

/// An object whose bytes the store has and does not show yet: completing its upload makes it visible, whoever does it.
struct SealedFile: Sendable, Equatable {
    let upload: Upload
    let parts: [UploadedPart]
    /// What the object's metadata is once it is visible, where the store takes it so late.
    let attributes: ObjectAttributes

    fileprivate var json: JSONValue {
        .object([
            ("key", .string(upload.key)), ("upload", .string(upload.id)), ("type", .string(attributes.contentType)),
            ("metadata", .object(attributes.metadata.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })),
            (
                "parts",
                .array(
                    parts.map {
                        .object([
                            ("number", .integer($0.number)), ("tag", .string($0.tag)), ("checksum", .string($0.checksum)), ("size", .integer($0.size)),
                        ])
                    })
            ),
        ])
    }

    init(upload: Upload, parts: [UploadedPart], attributes: ObjectAttributes) {
        (self.upload, self.parts, self.attributes) = (upload, parts, attributes)
    }

    fileprivate init?(_ json: JSONValue) {
        guard let key = json["key"]?.stringValue, let id = json["upload"]?.stringValue, let type = json["type"]?.stringValue,
            let metadata = json["metadata"]?.objectValue, let given = json["parts"]?.arrayValue
        else { return nil }
        attributes = ObjectAttributes(
            contentType: type,
            metadata: Dictionary(metadata.members.compactMap { member in member.value.stringValue.map { (member.key, $0) } }, uniquingKeysWith: { $1 }))
        upload = Upload(key: key, id: id, attributes: attributes)
        parts = given.compactMap { part in
            guard let number = part["number"]?.integerValue, let tag = part["tag"]?.stringValue, let checksum = part["checksum"]?.stringValue,
                let size = part["size"]?.integerValue, (1...10_000).contains(number), size >= 0
            else { return nil }
            return UploadedPart(number: Int(number), tag: tag, checksum: checksum, size: Int(size))
        }
        guard parts.count == given.count else { return nil }
    }
}
