import ConnectAPI
import JSON
import Transport

/// Uploads whose end and whose appearance are two steps (`exactly.once.mode=ledger`). A session's object is there with its last byte, so the bytes go
/// to a hidden object, which `compose` makes the file: one request, without moving bytes, atomic, and only where there is none.
///
///     begin, parts ─▶ session of <hidden directory><connector>/<log partition>/<topic>/<random> ─▶ seal: the hidden object is there
///     complete     ─▶ POST …/o/{key}/compose, ifGenerationMatch=0, with the metadata ─▶ DELETE the hidden object
///
/// Follows https://cloud.google.com/storage/docs/json_api/v1/objects/compose.
extension GCSStore {
    func beginHidden(_ key: String, _ attributes: ObjectAttributes, below directory: String) async throws -> Upload {
        let random = [UInt64.random(in: 0...UInt64.max), UInt64.random(in: 0...UInt64.max)].map { String($0, radix: 16) }.joined()
        let name = "\(directory)\(SealedPlace(attributes.metadata).path)/\(random)", bytes = ObjectAttributes(metadata: attributes.metadata)
        // Without a condition: the name is drawn, and a session that was lost after its last byte is sent again over itself.
        @Sendable func begin() async throws -> String {
            guard let session = try await session(name, bytes, []) else {
                throw ConnectorError("gcs.changed", .retry, "'\(name)' in \(place) was replaced while its upload began")
            }
            return session
        }
        keep(Session(upload: GCSUpload(name, session: try await begin(), client: client, begin: begin), replaces: nil), as: name)
        return Upload(key: key, id: name, attributes: attributes)
    }

    func seal(_ upload: Upload, _ parts: [UploadedPart], _ attributes: ObjectAttributes) async throws -> SealedFile {
        let sealed = SealedFile(upload: upload, parts: parts, attributes: attributes)
        guard let session = session(of: upload) else {
            // An earlier attempt did it.
            guard isHidden(upload), try await head(upload.id) != nil else { throw gone(upload) }
            return sealed
        }
        guard let completed = try await session.upload.complete() else { throw gone(upload) }
        forget(upload)
        try await check(completed, upload.id)
        return sealed
    }

    /// An entry of a ledger is read from outside: it names nothing but hidden objects.
    func isHidden(_ upload: Upload) -> Bool { options.hiddenDirectory.map { upload.id.hasPrefix($0) } ?? false }

    /// Makes a file of a hidden object, whichever process sealed it.
    func show(_ upload: Upload, _ attributes: ObjectAttributes, ifAbsent: Bool) async throws -> PutOutcome {
        let source = JSONValue.array([.object([("name", .string(upload.id))])])
        let body = JSONValue.object([("sourceObjects", source), ("destination", .object(members(attributes)))]).compactBytes
        let call = GCSCall(
            method: "POST", url: endpoint.object(upload.key) + "/compose", query: [("fields", "generation")] + condition(ifAbsent),
            headers: [("Content-Type", "application/json; charset=UTF-8")], body: body, what: "compose '\(upload.key)'",
            permission: "storage.objects.create and storage.objects.get")
        switch try await client.send(call) {
        case .success: break
        case .failure(let error) where error.decision == .exists:
            guard try await head(upload.key)?.metadata == attributes.metadata else { return .exists }
        case .failure(let error) where error.status == 404:
            guard let found = try await head(upload.key) else { throw gone(upload) }
            return found.metadata == attributes.metadata ? .stored : .exists
        case .failure(let error): throw client.connectorError(error, call)
        }
        try await delete(upload.id)
        return .stored
    }

    func dropSealed(of ledger: SealedPlace, before milliseconds: Int64) async -> Int {
        guard let directory = options.hiddenDirectory else { return 0 }
        var dropped = 0, next: String?
        repeat {
            guard let found = try? await page("\(directory)\(ledger.path)/", after: next, limit: 1000) else { break }
            for object in found.entries where object.modified.map({ $0 < milliseconds }) ?? false {
                if (try? await delete(object.key)) != nil { dropped += 1 }
            }
            next = found.next
        } while next != nil
        return dropped
    }
}
