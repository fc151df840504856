import ConnectAPI
import Transport

/// Drives one resumable session: parts in order, one chunk at a time.
///
/// An actor, since the parts of a file may be handed over a few at a time: each waits here for the one before it.
actor GCSUpload {
    private let client: GCSClient
    private let key: String
    /// Makes a session; its preconditions hold for the object that will be completed.
    private let begin: @Sendable () async throws -> String
    private var upload: ResumableUpload
    private var isSending = false

    /// How soon a part looks whether its turn has come: short against the time a part takes, and cancelled with its task.
    private static let turn = Duration.milliseconds(5)

    init(_ key: String, session: String, client: GCSClient, begin: @escaping @Sendable () async throws -> String) {
        self.key = key
        self.client = client
        self.begin = begin
        upload = ResumableUpload(session: session)
    }

    /// Takes part `number` once the parts before it were taken; a part that was taken already is only sent on.
    func add(_ bytes: [UInt8], number: Int) async throws {
        while isSending || number > upload.parts + 1 { try await Task.sleep(for: Self.turn) }
        isSending = true
        defer { isSending = false }
        if number == upload.parts + 1 { upload.take(bytes) }
        _ = try await send(last: false)
    }

    /// Sends the rest and ends the object; nil: the object exists.
    func complete() async throws -> (checksum: String?, own: UInt32)? {
        while isSending { try await Task.sleep(for: Self.turn) }
        isSending = true
        defer { isSending = false }
        return try await send(last: true).map { ($0.checksum, upload.checksum) }
    }

    func abort() async {
        _ = try? await client.attempt(call([], body: [], method: "DELETE"))
    }

    // MARK: Chunks

    private struct Completed {
        let checksum: String?
    }

    /// Sends what can be sent. With `last`, until the object is there; nil: its name is taken.
    private func send(last: Bool) async throws -> Completed? {
        var pace = client.pace(), isAsking = false, restarts = 0
        while true {
            let next: (range: String, body: [UInt8])
            if isAsking {
                next = (ResumableUpload.question, [])
            } else if let chunk = upload.chunk(last: last) {
                next = chunk
            } else {
                return nil
            }
            switch try await client.attempt(call([("Content-Range", next.range)], body: next.body)) {
            case .answer(let response):
                isAsking = false
                switch upload.answered(response) {
                case .moved(0): try await pace.wait(refused("made no progress"), "stalled", nil)
                case .moved: pace.reset()
                case .complete(let checksum):
                    guard last else { throw refused("ended before its last bytes were sent") }
                    return Completed(checksum: checksum)
                case .impossible: throw refused("answered with a range that cannot be")
                }
            case .refused(let error) where error.decision == .exists: return nil
            case .refused(let error) where (error.status == 404 || error.status == 410) && restarts < 3:
                restarts += 1
                guard upload.restart(session: try await begin()) else {
                    throw ConnectorError(
                        "gcs.upload_gone", .stop, "The resumable upload of '\(key)' to \(client.place) is gone after \(upload.persisted) bytes",
                        hint: "Restart the task: the records are read again")
                }
                isAsking = false
            case .refused(let error): throw client.connectorError(error, call([], body: []))
            case .again(let error, let code, let retryAfter):
                try await pace.wait(error, code, retryAfter)
                // What of the chunk arrived is the service's to say.
                isAsking = true
            }
        }
    }

    private func refused(_ what: String) -> ConnectorError {
        ConnectorError("gcs.answer", .retry, "The resumable upload of '\(key)' to \(client.place) \(what)")
    }

    private func call(_ headers: [(name: String, value: String)], body: [UInt8], method: String = "PUT") -> GCSCall {
        GCSCall(
            method: method, url: upload.session, headers: headers, body: body, what: "upload '\(key)'", permission: "storage.objects.create")
    }
}
