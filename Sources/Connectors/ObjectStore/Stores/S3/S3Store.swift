import ConnectAPI
import JSON
import Synchronization
import Transport

/// Objects in an S3 bucket: AWS, MinIO, Ceph, Swift, and Google Cloud Storage through its XML API.
final class S3Store: ObjectStore {
    struct Options: Sendable {
        var createBucket = false
        var encryption = ""
        var kmsKey = ""
        var cannedACL: String?
        /// 32 bytes of the customer's own (SSE-C), sent with every request that touches an object.
        var customerKey: CustomerKey?
        /// Permission texts name this prefix.
        var prefix = ""
    }

    private let client: S3Client
    private let options: Options
    private let log: Logger
    /// The service answered 501 to a conditional write: look first, then write.
    private let looksFirst = Atomic<Bool>(false)

    init(_ client: S3Client, _ options: Options, log: Logger) {
        self.client = client
        self.options = options
        self.log = log
    }

    var place: String { client.place }
    private var bucket: String { client.settings.endpoint.bucket }
    private func resource(_ key: String?) -> String { "arn:aws:s3:::\(bucket)\(key == nil ? "" : "/\(options.prefix)*")" }

    // MARK: The bucket

    func prepare() async throws {
        guard case .failure(var refusal) = try await client.send(S3Call(method: "HEAD", action: "s3:ListBucket on \(resource(nil))")) else { return }
        if refusal.error.status != 404 {
            // A HEAD has no body: ask in a way that gets a reason, from which the region is learned too.
            let list = S3Call(method: "GET", query: [("list-type", "2"), ("max-keys", "1")], action: "s3:ListBucket on \(resource(nil))")
            guard case .failure(let reason) = try await client.send(list) else { return }
            refusal = reason
        }
        guard refusal.error.status == 404 else { throw refusal.connectorError }
        guard options.createBucket else {
            throw ConnectorError(
                "s3.bucket_missing", .stop, "The bucket '\(bucket)' does not exist: \(place), request id \(refusal.error.requestID)",
                hint: "Create the bucket, correct s3.bucket.name, or set s3.bucket.create=true")
        }
        try await createBucket()
    }

    private func createBucket() async throws {
        let region = client.region
        let body =
            region == "us-east-1"
            ? ""
            : "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>\(XMLText.escape(region))</LocationConstraint></CreateBucketConfiguration>"
        let call = S3Call(method: "PUT", body: Array(body.utf8), contentType: "application/xml", action: "s3:CreateBucket on \(resource(nil))")
        switch try await client.send(call) {
        case .success: log.info("Created the bucket \(bucket): \(place)")
        case .failure(let refusal) where refusal.error.code == "BucketAlreadyOwnedByYou": return
        case .failure(let refusal): throw refusal.connectorError
        }
    }

    // MARK: Objects

    func put(_ key: String, _ body: [UInt8], _ attributes: ObjectAttributes, ifAbsent: Bool) async throws -> PutOutcome {
        let call = S3Call(
            method: "PUT", key: key, headers: headers(attributes) + [("x-amz-checksum-crc32c", Digest.crc32cBase64(body))], body: body,
            contentType: attributes.contentType, action: "s3:PutObject on \(resource(key))")
        return try await create(call, key, ifAbsent: ifAbsent).outcome
    }

    /// Sends a call that makes an object visible.
    private func create(_ call: S3Call, _ key: String, ifAbsent: Bool) async throws -> (outcome: PutOutcome, noSuchUpload: Bool) {
        var call = call
        if ifAbsent {
            if looksFirst.load(ordering: .relaxed) {
                if try await head(key) != nil { return (.exists, false) }
            } else {
                call.headers.append(("If-None-Match", "*"))
            }
        }
        switch try await client.send(call) {
        case .success: return (.stored, false)
        case .failure(let refusal) where refusal.error.status == 412 || refusal.error.code == "PreconditionFailed": return (.exists, false)
        case .failure(let refusal) where refusal.error.code == "NoSuchUpload": return (.stored, true)
        case .failure(let refusal) where ifAbsent && refusal.error.status == 501 && !looksFirst.load(ordering: .relaxed):
            log.warn("\(place) does not know conditional writes: objects are looked for before they are written, which two writers at once can outrun")
            looksFirst.store(true, ordering: .relaxed)
            call.headers.removeAll { $0.name == "If-None-Match" }
            return try await create(call, key, ifAbsent: true)
        case .failure(let refusal): throw refusal.connectorError
        }
    }

    func head(_ key: String) async throws -> ObjectInfo? {
        switch try await client.send(S3Call(method: "HEAD", key: key, headers: customerKey, action: "s3:GetObject on \(resource(key))")) {
        case .success(let response):
            let metadata = response.headers.filter { $0.key.hasPrefix("x-amz-meta-") }
            return ObjectInfo(
                size: response.headers["content-length"].flatMap { Int64($0) } ?? 0,
                metadata: Dictionary(uniqueKeysWithValues: metadata.map { (String($0.key.dropFirst(11)), $0.value) }))
        case .failure(let refusal) where refusal.error.status == 404: return nil
        case .failure(let refusal): throw refusal.connectorError
        }
    }

    func read(_ key: String, _ range: Range<Int64>) async throws -> [UInt8]? {
        // An empty range has no form in HTTP.
        if range.isEmpty { return try await head(key) == nil ? nil : [] }
        let call = S3Call(
            method: "GET", key: key, headers: customerKey + [("Range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")],
            action: "s3:GetObject on \(resource(key))")
        switch try await client.send(call) {
        case .success(let response): return response.body
        case .failure(let refusal) where refusal.error.status == 404: return nil
        case .failure(let refusal) where refusal.error.status == 416: return []
        case .failure(let refusal): throw refusal.connectorError
        }
    }

    func page(_ prefix: String, after next: String?, limit: Int) async throws -> ObjectPage {
        var query = [("list-type", "2"), ("prefix", prefix), ("encoding-type", "url"), ("max-keys", String(min(1000, limit)))]
        if let next { query.append(("continuation-token", next)) }
        let call = S3Call(method: "GET", query: query.map { (name: $0.0, value: $0.1) }, action: "s3:ListBucket on \(resource(nil))")
        switch try await client.send(call) {
        case .success(let response):
            let keys = XMLText.elements("Key", in: response.body), sizes = XMLText.elements("Size", in: response.body)
            let times = XMLText.elements("LastModified", in: response.body)
            guard sizes.count == keys.count, times.count == keys.count else {
                throw ConnectorError("s3.answer", .retry, "\(place) lists objects of '\(prefix)' without their sizes and times")
            }
            let entries = keys.indices.map { i in
                ObjectEntry(
                    key: PercentCoding.decode(keys[i].split(separator: "+", omittingEmptySubsequences: false).joined(separator: "%20")),
                    size: Int64(sizes[i]) ?? 0, modified: CredentialTime.milliseconds(times[i]))
            }
            return ObjectPage(entries: entries, next: XMLText.element("NextContinuationToken", in: response.body))
        case .failure(let refusal): throw refusal.connectorError
        }
    }

    func delete(_ key: String) async throws {
        if case .failure(let refusal) = try await client.send(S3Call(method: "DELETE", key: key, action: "s3:DeleteObject on \(resource(key))")),
            refusal.error.status != 404
        {
            throw refusal.connectorError
        }
    }

    private func headers(_ attributes: ObjectAttributes) -> [(name: String, value: String)] {
        var headers = attributes.metadata.sorted { $0.key < $1.key }.map { (name: "x-amz-meta-\($0.key)", value: $0.value) }
        if !options.encryption.isEmpty { headers.append(("x-amz-server-side-encryption", options.encryption)) }
        if !options.kmsKey.isEmpty { headers.append(("x-amz-server-side-encryption-aws-kms-key-id", options.kmsKey)) }
        if let acl = options.cannedACL, !acl.isEmpty { headers.append(("x-amz-acl", acl)) }
        return headers + customerKey
    }

    private var customerKey: [(name: String, value: String)] { options.customerKey?.headers ?? [] }

    func tag(_ key: String, _ tags: [(name: String, value: String)]) async throws {
        let set = tags.map { "<Tag><Key>\(XMLText.escape($0.name))</Key><Value>\(XMLText.escape($0.value))</Value></Tag>" }.joined()
        let body = Array("<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>\(set)</TagSet></Tagging>".utf8)
        let call = S3Call(
            method: "PUT", key: key, query: [("tagging", "")], headers: [("Content-MD5", Digest.base64(Digest.md5(body)))], body: body,
            contentType: "application/xml", action: "s3:PutObjectTagging on \(resource(key))")
        if case .failure(let refusal) = try await client.send(call) { throw refusal.connectorError }
    }

    var credentialsExpireIn: Double? { client.credentials.expiresIn }

    /// Where credentials come from, as a sentence for `sluice doctor`.
    func describeCredentials() async throws -> String {
        guard try await client.credentials.current() != nil else { return "none: requests are not signed" }
        let expiry = client.credentials.expiresIn.map { ", for another \(Int($0)) s" } ?? ""
        return "from \(client.credentials.source ?? "the chain")\(expiry)"
    }

    /// How far the clocks are apart, as a sentence; more than a quarter of an hour is refused by S3.
    func describeClock() async throws -> String {
        let call = S3Call(method: "HEAD", action: "s3:ListBucket on \(resource(nil))")
        guard let difference = try await client.clockDifference(call) else { return "the service does not say its time" }
        guard abs(difference) < 900 else {
            throw ConnectorError(
                "s3.clock", .stop, "The clock of \(place) is \(difference) s ahead of this machine's", hint: "Set this machine's clock (NTP)")
        }
        return "\(difference) s apart"
    }

    // MARK: Multipart

    func beginUpload(_ key: String, _ attributes: ObjectAttributes) async throws -> Upload {
        let call = S3Call(
            method: "POST", key: key, query: [("uploads", "")], headers: headers(attributes) + [("x-amz-checksum-algorithm", "CRC32C")],
            contentType: attributes.contentType, action: "s3:PutObject on \(resource(key))")
        switch try await client.send(call) {
        case .success(let response):
            guard let id = XMLText.element("UploadId", in: response.body) else {
                throw ConnectorError("s3.answer", .retry, "\(place) began an upload of '\(key)' without an id")
            }
            return Upload(key: key, id: id, attributes: attributes)
        case .failure(let refusal): throw refusal.connectorError
        }
    }

    func uploadPart(_ upload: Upload, number: Int, offset: Int64, _ bytes: [UInt8]) async throws -> UploadedPart {
        let checksum = Digest.crc32cBase64(bytes)
        let call = S3Call(
            method: "PUT", key: upload.key, query: [("partNumber", String(number)), ("uploadId", upload.id)],
            headers: customerKey + [("x-amz-checksum-crc32c", checksum)], body: bytes, action: "s3:PutObject on \(resource(upload.key))")
        switch try await client.send(call) {
        case .success(let response):
            guard let tag = response.headers["etag"] else {
                throw ConnectorError("s3.answer", .retry, "\(place) took a part of '\(upload.key)' without an ETag")
            }
            return UploadedPart(number: number, tag: tag, checksum: checksum, size: bytes.count)
        case .failure(let refusal): throw refusal.connectorError
        }
    }

    var completesMetadata: Bool { false }

    func complete(_ upload: Upload, _ parts: [UploadedPart], _ attributes: ObjectAttributes, ifAbsent: Bool) async throws -> PutOutcome {
        var body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        for part in parts.sorted(by: { $0.number < $1.number }) {
            body +=
                "<Part><PartNumber>\(part.number)</PartNumber><ETag>\(XMLText.escape(part.tag))</ETag><ChecksumCRC32C>\(part.checksum)</ChecksumCRC32C></Part>"
        }
        body += "</CompleteMultipartUpload>"
        let call = S3Call(
            method: "POST", key: upload.key, query: [("uploadId", upload.id)], headers: customerKey, body: Array(body.utf8), contentType: "application/xml",
            action: "s3:PutObject on \(resource(upload.key))", mayFailInSuccess: true)
        // Ceph 16 takes the condition and completes the upload all the same.
        if ifAbsent, !looksFirst.load(ordering: .relaxed), try await head(upload.key) != nil { return .exists }
        let (outcome, noSuchUpload) = try await create(call, upload.key, ifAbsent: ifAbsent)
        guard noSuchUpload else { return outcome }
        // The answer to an earlier attempt was lost, and it had succeeded; or the upload was aborted by a lifecycle rule.
        let size = parts.reduce(Int64(0)) { $0 + Int64($1.size) }
        if let found = try await head(upload.key) {
            return found.size == size && found.metadata == upload.attributes.metadata ? .stored : .exists
        }
        throw ConnectorError(
            "s3.upload_gone", .stop, "The unfinished upload of '\(upload.key)' to \(place) is gone",
            hint: "Restart the task: the records are read again. If it happens again, let the bucket's lifecycle rule keep uploads for a day")
    }

    func abort(_ upload: Upload) async {
        _ = try? await client.send(
            S3Call(method: "DELETE", key: upload.key, query: [("uploadId", upload.id)], action: "s3:AbortMultipartUpload on \(resource(upload.key))"))
    }

    var knowsConditions: Bool { !looksFirst.load(ordering: .relaxed) }

    func dropUploads(_ prefix: String, startedBefore milliseconds: Int64, where isMeant: @Sendable (String) -> Bool) async -> Int {
        var dropped = 0, marker: (key: String, id: String)?
        while true {
            var query = [("uploads", ""), ("prefix", prefix), ("max-uploads", "1000")]
            if let marker { query += [("key-marker", marker.key), ("upload-id-marker", marker.id)] }
            let call = S3Call(
                method: "GET", query: query.map { (name: $0.0, value: $0.1) }, action: "s3:ListBucketMultipartUploads on \(resource(nil))")
            let answer: HTTPResponse
            switch try? await client.send(call) {
            case .success(let response)?: answer = response
            case .failure(let refusal)?:
                log.warn("Unfinished uploads of earlier runs cannot be looked for: \(refusal.connectorError)")
                return dropped
            case nil: return dropped
            }
            let keys = XMLText.elements("Key", in: answer.body), ids = XMLText.elements("UploadId", in: answer.body)
            let times = XMLText.elements("Initiated", in: answer.body)
            guard keys.count == ids.count, times.count == ids.count else { return dropped }
            for (i, id) in ids.enumerated() where isMeant(keys[i]) && CredentialTime.milliseconds(times[i]).map({ $0 < milliseconds }) ?? false {
                await abort(Upload(key: keys[i], id: id, attributes: ObjectAttributes()))
                dropped += 1
            }
            guard XMLText.element("IsTruncated", in: answer.body) == "true", let key = XMLText.element("NextKeyMarker", in: answer.body),
                let id = XMLText.element("NextUploadIdMarker", in: answer.body)
            else { return dropped }
            marker = (key, id)
        }
    }
}

/// A key of the customer's own for server-side encryption.
struct CustomerKey: Sendable {
    let headers: [(name: String, value: String)]

    /// nil: the text is not the base64 of 32 bytes.
    init?(base64 text: String) {
        guard let key = Base64.decode(text.utf8), key.count == 32 else { return nil }
        headers = [
            ("x-amz-server-side-encryption-customer-algorithm", "AES256"), ("x-amz-server-side-encryption-customer-key", Digest.base64(key)),
            ("x-amz-server-side-encryption-customer-key-MD5", Digest.base64(Digest.md5(key))),
        ]
    }
}
