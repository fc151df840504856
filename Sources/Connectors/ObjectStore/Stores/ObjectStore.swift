import ConnectAPI

/// A place that holds objects by key: a bucket or a directory. Calls may be made from any task; each has a deadline of its own and ends early
/// when its task is cancelled (Invariant 7). A `.retry` error may be tried again as it is.
protocol ObjectStore: Sendable {
    /// Where objects go, for messages: `s3://bucket at http://host:9000`, `directory /data/lake`.
    var place: String { get }
    /// Looks whether the place exists and may be written to, and clears what a crash left behind there.
    func prepare() async throws
    func put(_ key: String, _ body: [UInt8], _ attributes: ObjectAttributes, ifAbsent: Bool) async throws -> PutOutcome
    func beginUpload(_ key: String, _ attributes: ObjectAttributes) async throws -> Upload
    /// Parts count from 1; `offset` is the part's place in the object. The same number may be sent again, the last one counts.
    func uploadPart(_ upload: Upload, number: Int, offset: Int64, _ bytes: [UInt8]) async throws -> UploadedPart
    /// Makes the object visible. `attributes` replace those of the beginning where the store can do that (`completesMetadata`). `.exists` leaves
    /// the upload as it is.
    func complete(_ upload: Upload, _ parts: [UploadedPart], _ attributes: ObjectAttributes, ifAbsent: Bool) async throws -> PutOutcome
    /// Whether metadata may be given when an upload completes; S3 fixes it when the upload begins.
    var completesMetadata: Bool { get }
    /// Ends the parts of an upload, so that any process can complete it later: what is needed for that, with the upload in its final form.
    func seal(_ upload: Upload, _ parts: [UploadedPart], _ attributes: ObjectAttributes) async throws -> SealedFile
    /// Whether `ifAbsent` holds also between two writers at once, as far as is known.
    var knowsConditions: Bool { get }
    /// Drops an upload; no error when it does not exist.
    func abort(_ upload: Upload) async
    /// nil when there is no such object.
    func head(_ key: String) async throws -> ObjectInfo?
    /// Bytes of an object, fewer where it ends before; nil when there is no such object.
    func read(_ key: String, _ range: Range<Int64>) async throws -> [UInt8]?
    /// Objects with a prefix, in the byte order of their keys: the first page, or the one that `next` of another named. `limit` is at least one; a page
    /// may have fewer and not be the last.
    func page(_ prefix: String, after next: String?, limit: Int) async throws -> ObjectPage
    func delete(_ key: String) async throws
    /// Replaces an object's tags, where the store knows tags.
    func tag(_ key: String, _ tags: [(name: String, value: String)]) async throws
    /// Drops unfinished uploads that began before a time, of the keys with a prefix that are meant, as far as that is possible; how many.
    func dropUploads(_ prefix: String, startedBefore milliseconds: Int64, where isMeant: @Sendable (String) -> Bool) async -> Int
    /// Drops a ledger's sealed files from before a time, which no entry lists; how many. Its last entry's are complete.
    func dropSealed(of ledger: SealedPlace, before milliseconds: Int64) async -> Int
    /// Seconds until what authorizes requests expires; nil: it does not.
    var credentialsExpireIn: Double? { get }
}

extension ObjectStore {
    /// Keys with a prefix, in byte order, at most `limit`.
    func list(_ prefix: String, limit: Int) async throws -> [String] {
        var keys: [String] = [], next: String?
        repeat {
            let page = try await page(prefix, after: next, limit: limit - keys.count)
            keys += page.entries.map(\.key)
            next = page.next
        } while next != nil && keys.count < limit
        return keys
    }

    func tag(_ key: String, _ tags: [(name: String, value: String)]) async throws {}
    func seal(_ upload: Upload, _ parts: [UploadedPart], _ attributes: ObjectAttributes) async throws -> SealedFile {
        SealedFile(upload: upload, parts: parts, attributes: attributes)
    }
    var knowsConditions: Bool { true }
    func dropUploads(_ prefix: String, startedBefore milliseconds: Int64, where isMeant: @Sendable (String) -> Bool) async -> Int { 0 }
    func dropSealed(of ledger: SealedPlace, before milliseconds: Int64) async -> Int { 0 }
    var credentialsExpireIn: Double? { nil }
}

enum PutOutcome: Sendable, Equatable {
    case stored
    /// There is an object with that key and `ifAbsent` was asked for; nothing was changed.
    case exists
}

struct ObjectAttributes: Sendable, Equatable {
    var contentType = "application/octet-stream"
    /// Lower-case names; values are ASCII.
    var metadata: [String: String] = [:]
}

/// Where the sealed files of one ledger lie, and no others: whoever opens a ledger knows of its own files only whether they are needed.
struct SealedPlace: Sendable, Equatable {
    let connector: String
    /// The log partition.
    let source: String
    /// What a transform named the records' topic.
    let topic: String

    init(connector: String, source: String, topic: String) { (self.connector, self.source, self.topic) = (connector, source, topic) }

    /// Of the metadata of a set's file.
    init(_ metadata: [String: String]) {
        func value(_ key: String) -> String { PercentCoding.decode(metadata[key] ?? "") }
        self.init(connector: value("kafka-connector"), source: value("kafka-source"), topic: value("kafka-topic"))
    }

    /// Three names of directories, which hold no dot.
    var path: String {
        [connector, source, topic].map {
            $0.isEmpty ? "_" : PercentCoding.encode($0).split(separator: ".", omittingEmptySubsequences: false).joined(separator: "%2E")
        }.joined(separator: "/")
    }
}

struct ObjectInfo: Sendable, Equatable {
    var size: Int64
    var metadata: [String: String]
}

/// An object as a listing shows it.
struct ObjectEntry: Sendable, Equatable {
    var key: String
    var size: Int64
    /// When it was written last, by the store's clock, in milliseconds; nil: the listing does not say.
    var modified: Int64?
}

struct ObjectPage: Sendable, Equatable {
    var entries: [ObjectEntry]
    /// What asks for the next page; nil: this is the last.
    var next: String?
}

struct Upload: Sendable, Equatable {
    let key: String
    let id: String
    let attributes: ObjectAttributes
}

struct UploadedPart: Sendable, Equatable {
    let number: Int
    let tag: String
    /// Base64 CRC32C, where the store takes one.
    let checksum: String
    let size: Int
}

/// Percent-encoding of RFC 3986, as S3 signs it: everything but letters, digits and `-._~`.
enum PercentCoding {
    static func isUnreserved(_ c: UInt8) -> Bool {
        switch c {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    static func encode(_ text: String, keepingSlash: Bool = false) -> String {
        var out: [UInt8] = []
        out.reserveCapacity(text.utf8.count)
        for c in text.utf8 {
            if isUnreserved(c) || (keepingSlash && c == UInt8(ascii: "/")) {
                out.append(c)
            } else {
                out.append(UInt8(ascii: "%"))
                for nibble in [c >> 4, c & 15] { out.append(nibble < 10 ? 48 + nibble : 55 + nibble) }
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    static func decode(_ text: String) -> String {
        var out: [UInt8] = []
        let bytes = Array(text.utf8)
        var i = 0
        while i < bytes.count {
            if bytes[i] == UInt8(ascii: "%"), i + 2 < bytes.count, let high = hex(bytes[i + 1]), let low = hex(bytes[i + 2]) {
                out.append(high << 4 | low)
                i += 3
            } else {
                out.append(bytes[i])
                i += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func hex(_ c: UInt8) -> UInt8? {
        switch c {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): c - 48
        case UInt8(ascii: "a")...UInt8(ascii: "f"): c - 87
        case UInt8(ascii: "A")...UInt8(ascii: "F"): c - 55
        default: nil
        }
    }
}
