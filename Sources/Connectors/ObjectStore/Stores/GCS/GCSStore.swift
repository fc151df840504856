import ConnectAPI
import JSON
import Synchronization
import Transport

/// Objects in a Google Cloud Storage bucket, through the JSON API.
///
///     small   POST uploadType=multipart: metadata with its crc32c, then the bytes; ifGenerationMatch=0 creates only what is absent
///     large   a resumable session (`GCSUpload`), begun under the same condition
///     look    GET …/o/{key} with the slashes of the key encoded
final class GCSStore: ObjectStore {
    struct Options: Sendable {
        /// Sessions create only what is absent.
        var conditional = true
        /// Of every object; never for Parquet: Cloud Storage decompresses `gzip` on download.
        var contentEncoding: String?
        /// Uploads are hidden objects below it until they are completed; nil: they are sessions of the object itself.
        var hiddenDirectory: String?
    }

    let client: GCSClient
    let options: Options
    struct Session {
        let upload: GCSUpload
        /// When it began, an object had the name already: this generation is what a session may replace.
        let replaces: String?
    }
    private let sessions = Mutex<(next: Int, open: [String: Session])>((0, [:]))

    init(_ client: GCSClient, _ options: Options) {
        self.client = client
        self.options = options
    }

    var place: String { client.place }
    var completesMetadata: Bool { options.hiddenDirectory != nil }
    var credentialsExpireIn: Double? { client.credentialsExpireIn }
    var endpoint: GCSEndpoint { client.settings.endpoint }

    /// Lists one name, which needs no permission that storing files exactly once does not need too.
    func prepare() async throws { _ = try await list("", limit: 1) }

    /// What requests are authorized with, once a token was given for it.
    func describeCredentials() async throws -> String {
        let what = try await client.authorize()
        return client.credentialsExpireIn.map { "\(what), a token for another \(Int($0)) s" } ?? what
    }

    // MARK: Objects

    func put(_ key: String, _ body: [UInt8], _ attributes: ObjectAttributes, ifAbsent: Bool) async throws -> PutOutcome {
        // A boundary of 128 random bits does not occur in the body.
        let boundary = "sluice-\(String(UInt64.random(in: 0...UInt64.max), radix: 16))\(String(UInt64.random(in: 0...UInt64.max), radix: 16))"
        let resource = resource(key, attributes, checksum: Digest.crc32cBase64(body))
        var message = Array("--\(boundary)\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n".utf8)
        message.reserveCapacity(message.count + body.count + 1024)
        message += resource
        message += "\r\n--\(boundary)\r\nContent-Type: \(attributes.contentType)\r\n\r\n".utf8
        message += body
        message += "\r\n--\(boundary)--\r\n".utf8
        let call = GCSCall(
            method: "POST", url: endpoint.upload, query: [("uploadType", "multipart"), ("fields", "generation")] + condition(ifAbsent),
            headers: [("Content-Type", "multipart/related; boundary=\(boundary)")], body: message, what: "create '\(key)'",
            permission: createPermission(ifAbsent))
        switch try await client.send(call) {
        case .success: return .stored
        case .failure(let error) where error.decision == .exists: return .exists
        case .failure(let error): throw client.connectorError(error, call)
        }
    }

    func condition(_ ifAbsent: Bool) -> [(name: String, value: String)] { ifAbsent ? [("ifGenerationMatch", "0")] : [] }

    /// To replace an object is to delete the one before.
    private func createPermission(_ ifAbsent: Bool) -> String { ifAbsent ? "storage.objects.create" : "storage.objects.create and storage.objects.delete" }

    private func resource(_ key: String, _ attributes: ObjectAttributes, checksum: String?) -> [UInt8] {
        let checksum = checksum.map { [("crc32c", JSONValue.string($0))] } ?? []
        return JSONValue.object([("name", .string(key))] + checksum + members(attributes)).compactBytes
    }

    func members(_ attributes: ObjectAttributes) -> [(String, JSONValue)] {
        var members: [(String, JSONValue)] = [("contentType", .string(attributes.contentType))]
        if let encoding = options.contentEncoding, !encoding.isEmpty { members.append(("contentEncoding", .string(encoding))) }
        if !attributes.metadata.isEmpty {
            members.append(("metadata", .object(attributes.metadata.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })))
        }
        return members
    }

    func head(_ key: String) async throws -> ObjectInfo? {
        try await describe(key).map { object in
            ObjectInfo(
                size: Self.size(object),
                metadata: Dictionary(
                    (object["metadata"]?.objectValue?.members ?? []).compactMap { member in member.value.stringValue.map { (member.key, $0) } },
                    uniquingKeysWith: { _, last in last }))
        }
    }

    private func describe(_ key: String) async throws -> JSONValue? {
        let call = GCSCall(
            method: "GET", url: endpoint.object(key), query: [("fields", "size,generation,metadata")], what: "describe '\(key)'",
            permission: "storage.objects.get and storage.objects.list")
        switch try await client.send(call) {
        case .success(let response):
            guard let object = try? JSONValue.parse(response.body) else { throw unreadable(call) }
            return object
        case .failure(let error) where error.status == 404: return nil
        case .failure(let error): throw client.connectorError(error, call)
        }
    }

    func read(_ key: String, _ range: Range<Int64>) async throws -> [UInt8]? {
        if range.isEmpty { return try await head(key) == nil ? nil : [] }
        let call = GCSCall(
            method: "GET", url: endpoint.object(key), query: [("alt", "media")],
            headers: [("Range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)"), ("Accept-Encoding", "gzip")], what: "read '\(key)'",
            permission: "storage.objects.get")
        switch try await client.send(call) {
        case .success(let response): return response.body
        case .failure(let error) where error.status == 404: return nil
        // The object ends before the range begins.
        case .failure(let error) where error.status == 416: return []
        case .failure(let error): throw client.connectorError(error, call)
        }
    }

    func page(_ prefix: String, after next: String?, limit: Int) async throws -> ObjectPage {
        var query = [
            (name: "prefix", value: prefix), ("maxResults", String(min(1000, limit))), ("fields", "items(name,size,updated),nextPageToken"),
        ]
        if let next { query.append(("pageToken", next)) }
        let call = GCSCall(method: "GET", url: endpoint.object(nil), query: query, what: "list objects", permission: "storage.objects.list")
        switch try await client.send(call) {
        case .success(let response):
            guard let page = try? JSONValue.parse(response.body) else { throw unreadable(call) }
            let entries = (page["items"]?.arrayValue ?? []).compactMap { object -> ObjectEntry? in
                guard let name = object["name"]?.stringValue else { return nil }
                return ObjectEntry(
                    key: name, size: Self.size(object), modified: object["updated"]?.stringValue.flatMap { TimestampText.milliseconds(Array($0.utf8)[...]) })
            }
            return ObjectPage(entries: entries, next: page["nextPageToken"]?.stringValue)
        case .failure(let error): throw client.connectorError(error, call)
        }
    }

    /// JSON has 64-bit numbers as texts.
    private static func size(_ object: JSONValue) -> Int64 { object["size"].flatMap { $0.stringValue ?? $0.scalarText }.flatMap { Int64($0) } ?? 0 }

    func delete(_ key: String) async throws {
        let call = GCSCall(method: "DELETE", url: endpoint.object(key), what: "delete '\(key)'", permission: "storage.objects.delete")
        if case .failure(let error) = try await client.send(call), error.status != 404 { throw client.connectorError(error, call) }
    }

    private func unreadable(_ call: GCSCall) -> ConnectorError {
        ConnectorError("gcs.answer", .retry, "The answer of \(place) to the request to \(call.what) is no JSON")
    }

    // MARK: Sessions

    func beginUpload(_ key: String, _ attributes: ObjectAttributes) async throws -> Upload {
        if let directory = options.hiddenDirectory { return try await beginHidden(key, attributes, below: directory) }
        var replaces: String?, session = options.conditional ? try await session(key, attributes, condition(true)) : nil
        if session == nil {
            // The name is taken. Whether that object may be replaced is judged when this one is complete; then only this very one is.
            if options.conditional { replaces = try await describe(key)?["generation"]?.stringValue ?? "0" }
            session = try await self.session(key, attributes, replaces.map { [("ifGenerationMatch", $0)] } ?? [])
        }
        guard let session else {
            throw ConnectorError("gcs.changed", .retry, "'\(key)' in \(place) was replaced while its upload began")
        }
        let condition = replaces.map { [(name: "ifGenerationMatch", value: $0)] } ?? condition(options.conditional)
        let upload = GCSUpload(key, session: session, client: client) { [self] in
            guard let session = try await self.session(key, attributes, condition) else {
                throw ConnectorError("gcs.changed", .stop, "'\(key)' in \(place) was written by someone else during its upload", hint: "Restart the task")
            }
            return session
        }
        let id = sessions.withLock { sessions in
            sessions.next += 1
            return String(sessions.next)
        }
        keep(Session(upload: upload, replaces: replaces), as: id)
        return Upload(key: key, id: id, attributes: attributes)
    }

    func keep(_ session: Session, as id: String) { sessions.withLock { $0.open[id] = session } }
    func session(of upload: Upload) -> Session? { sessions.withLock { $0.open[upload.id] } }
    func forget(_ upload: Upload) { sessions.withLock { _ = $0.open.removeValue(forKey: upload.id) } }

    /// The address of a new session; nil when the condition does not hold.
    func session(_ key: String, _ attributes: ObjectAttributes, _ condition: [(name: String, value: String)]) async throws -> String? {
        let call = GCSCall(
            method: "POST", url: endpoint.upload, query: [("uploadType", "resumable"), ("name", key)] + condition,
            headers: [("Content-Type", "application/json; charset=UTF-8"), ("X-Upload-Content-Type", attributes.contentType)],
            body: resource(key, attributes, checksum: nil), what: "begin the upload of '\(key)'", permission: createPermission(!condition.isEmpty))
        switch try await client.send(call) {
        case .success(let response):
            guard let location = response.headers["location"], !location.isEmpty else {
                throw ConnectorError("gcs.answer", .retry, "\(place) began an upload of '\(key)' without a session")
            }
            return location
        case .failure(let error) where error.decision == .exists: return nil
        case .failure(let error): throw client.connectorError(error, call)
        }
    }

    func uploadPart(_ upload: Upload, number: Int, offset: Int64, _ bytes: [UInt8]) async throws -> UploadedPart {
        try await open(upload).upload.add(bytes, number: number)
        return UploadedPart(number: number, tag: "", checksum: "", size: bytes.count)
    }

    func complete(_ upload: Upload, _ parts: [UploadedPart], _ attributes: ObjectAttributes, ifAbsent: Bool) async throws -> PutOutcome {
        if isHidden(upload) { return try await show(upload, attributes, ifAbsent: ifAbsent) }
        guard let session = session(of: upload) else { return try await completedBefore(upload, parts) }
        if ifAbsent, session.replaces != nil, session.replaces != "0" { return .exists }
        guard let completed = try await session.upload.complete() else {
            if ifAbsent { return .exists }
            throw ConnectorError(
                "gcs.changed", .stop, "'\(upload.key)' in \(place) was written by someone else during its upload",
                hint: "Restart the task: the records are read again and the two objects are compared")
        }
        forget(upload)
        try await check(completed, upload.key)
        return .stored
    }

    /// Compares the checksums of an object that was sent, and deletes it when they differ.
    func check(_ completed: (checksum: String?, own: UInt32), _ key: String) async throws {
        guard let checksum = completed.checksum, checksum != Digest.base64(crc: completed.own) else { return }
        try await delete(key)
        throw ConnectorError(
            "gcs.checksum", .stop, "'\(key)' arrived damaged in \(place) (crc32c \(checksum)) and was deleted",
            hint: "Restart the task: the records are read again. If it happens again, look for faulty memory or a proxy that changes bodies")
    }

    /// The answer to an earlier attempt was lost on its way to the caller, if the object is the one that was sent.
    private func completedBefore(_ upload: Upload, _ parts: [UploadedPart]) async throws -> PutOutcome {
        guard let found = try await head(upload.key) else { throw gone(upload) }
        let isOurs = found.size == parts.reduce(0) { $0 + Int64($1.size) } && found.metadata == upload.attributes.metadata
        return isOurs ? .stored : .exists
    }

    func abort(_ upload: Upload) async {
        if let session = session(of: upload) {
            forget(upload)
            await session.upload.abort()
        } else if isHidden(upload) {
            try? await delete(upload.id)
        }
    }

    private func open(_ upload: Upload) throws -> Session {
        guard let session = session(of: upload) else { throw gone(upload) }
        return session
    }

    func gone(_ upload: Upload) -> ConnectorError {
        ConnectorError(
            "gcs.upload_gone", .stop, "The unfinished upload of '\(upload.key)' to \(place) is gone",
            hint: "Restart the task: the records are read again")
    }
}
