import ConnectAPI
import ConnectorsObjectStore
import JSON
import Synchronization
import Transport

/// Uploads by the PUT protocol: a PUT statement says where and with which credentials, the bytes go to the cloud store behind the stage.
///
///     PUT file:///name @stage/dir ─▶ stageInfo, encryptionMaterial? ─▶ encrypt ─▶ S3 | GCS | Azure
///
/// Credentials last an hour and more; they are kept half an hour and asked for anew when the store refuses them. A presigned URL is for one
/// file of one name.
final class InternalStage: Stage {
    let reference: String
    private let session: any Statements
    private let transport: HTTPTransport
    private let proxy: HTTPProxy?
    private let s3: HTTPTransport
    private let pool: BlockingPool
    private let log: Logger
    private let onRetry: @Sendable (String) -> Void
    private struct Kept: Sendable {
        let target: StageTarget
        /// For targets on S3.
        let s3: S3Uploads?
        let until: ContinuousClock.Instant
    }
    private let kept = Mutex<[String: Kept]>([:])

    init(
        _ reference: String, session: any Statements, proxy: HTTPProxy? = nil, transport: HTTPTransport, s3: HTTPTransport = S3Uploads.transport(),
        pool: BlockingPool, log: Logger, onRetry: @escaping @Sendable (String) -> Void
    ) {
        self.proxy = proxy
        self.s3 = s3
        self.reference = reference
        self.session = session
        self.transport = transport
        self.pool = pool
        self.log = log
        self.onRetry = onRetry
    }

    func store(_ path: String, _ body: [UInt8]) async throws {
        let slash = path.lastIndex(of: "/")
        let directory = slash.map { String(path[..<$0]) } ?? "", name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        for attempt in 0..<2 {
            let target = try await target(directory, name, fresh: attempt > 0)
            do {
                return try await upload(target, name, body)
            } catch let error as ConnectorError where attempt == 0 && Self.isExpiry(error) {
                onRetry("stage_credentials")
            }
        }
    }

    private static func isExpiry(_ error: ConnectorError) -> Bool {
        ["snowflake.stage_refused", "s3.token_expired", "s3.access_denied", "s3.credentials_refused"].contains(error.code)
    }

    private func target(_ directory: String, _ name: String, fresh: Bool) async throws -> Kept {
        if !fresh, let known = kept.withLock({ $0[directory] }), known.until > .now { return known }
        // Only the name is read of the file: it need not exist here.
        let sql = "PUT 'file:///\(name)' \(reference)/\(directory) AUTO_COMPRESS=FALSE SOURCE_COMPRESSION=NONE OVERWRITE=TRUE PARALLEL=1"
        let target = try StageTarget(try await session.query(sql, "PUT to the stage \(reference)").data)
        let found = Kept(target: target, s3: try uploads(target.place), until: .now + .seconds(1800))
        if target.isReusable {
            kept.withLock { kept in
                if kept.count > 1000 { kept.removeAll() }
                kept[directory] = found
            }
        }
        return found
    }

    private func uploads(_ target: StageTarget.Place) throws -> S3Uploads? {
        guard case .s3(let bucket, _, let region, let endpoint, let accessKey, let secretKey, let token) = target else { return nil }
        var place = S3Uploads.Place(bucket: bucket, region: region, endpoint: endpoint)
        // A bare endpoint is Amazon's; one with a plain scheme is a server of a test.
        place.pathStyle = endpoint?.hasPrefix("http://") == true
        place.accessKey = accessKey
        place.secretKey = secretKey
        place.sessionToken = token.flatMap { $0.isEmpty ? nil : $0 }
        place.proxy = proxy
        return try S3Uploads(place, transport: s3, pool: pool, log: log, onRetry: onRetry)
    }

    private func upload(_ kept: Kept, _ name: String, _ plain: [UInt8]) async throws {
        let target = kept.target
        let encrypted = try target.encryption.map { try EncryptedFile(plain, $0) }
        let body = encrypted?.body ?? plain
        let digest = Base64.encode(Hash.sha256(plain))
        switch target.place {
        case .s3(_, let prefix, _, _, _, _, _):
            var metadata = ["sfc-digest": digest]
            if let encrypted {
                metadata["x-amz-key"] = encrypted.wrappedKey
                metadata["x-amz-iv"] = encrypted.iv
                metadata["x-amz-matdesc"] = encrypted.description
            }
            guard let s3 = kept.s3 else { preconditionFailure("a target on S3 is kept with its uploads") }
            try await s3.put(prefix + name, body, metadata: metadata)
        case .gcsPresigned(let url): try await put(url, googleHeaders(digest, encrypted), body)
        case .gcsToken(let base, let prefix, let token):
            try await put(base + encodedPath(prefix + name), googleHeaders(digest, encrypted) + [("Authorization", "Bearer \(token.value)")], body)
        case .azure(let base, let prefix, let signature):
            var headers = [("x-ms-blob-type", "BlockBlob"), ("x-ms-meta-sfcdigest", digest)]
            if let encrypted { headers += [("x-ms-meta-encryptiondata", encrypted.encryptionData), ("x-ms-meta-matdesc", encrypted.description)] }
            try await put("\(base)\(encodedPath(prefix + name))?\(signature.value)", headers, body)
        }
    }

    private func googleHeaders(_ digest: String, _ encrypted: EncryptedFile?) -> [(String, String)] {
        var headers = [("x-goog-meta-sfc-digest", digest)]
        if let encrypted { headers += [("x-goog-meta-encryptiondata", encrypted.encryptionData), ("x-goog-meta-matdesc", encrypted.description)] }
        return headers
    }

    private func encodedPath(_ path: String) -> String { path.split(separator: "/").map { URLText.encode(String($0)) }.joined(separator: "/") }

    private func put(_ url: String, _ headers: [(String, String)], _ body: [UInt8]) async throws {
        var request = HTTPRequest(method: "PUT", url: url, headers: headers.map { (name: $0.0, value: $0.1) }, body: body)
        request.headers.append(("Content-Type", "application/octet-stream"))
        request.headers.append(("Expect", HTTPTransport.absent))
        let sent = request, host = String(url.prefix { $0 != "?" })
        var attempt = 0
        while true {
            let problem: ConnectorError
            do {
                let answer = try await pool.run { [transport] cancel in try transport.perform(sent, cancel: cancel) }
                if (200...299).contains(answer.status) { return }
                guard answer.status == 408 || answer.status == 429 || answer.status >= 500 else {
                    throw ConnectorError(
                        "snowflake.stage_refused", .stop, "The store behind the stage \(reference) refused a file with status \(answer.status): \(host)",
                        hint: "Check that no firewall stands between this machine and the account's cloud storage (SYSTEM$ALLOWLIST lists the hosts)")
                }
                problem = ConnectorError("snowflake.stage_unavailable", .retry, "The store behind the stage \(reference) answered \(answer.status): \(host)")
            } catch let error as TransportError {
                problem = ConnectorError("snowflake.stage_unavailable", .retry, "The store behind the stage \(reference) gave no answer: \(error), \(host)")
            }
            guard attempt < 5 else { throw problem }
            onRetry("stage")
            try await Task.sleep(for: .milliseconds(Int64.random(in: 0...(200 << Int64(attempt)))))
            attempt += 1
        }
    }
}
