package import ConnectAPI
package import Transport

/// Plain uploads to a bucket, for sinks that stand on a store without this engine: a Snowflake stage.
package struct S3Uploads: Sendable {
    package struct Place: Sendable {
        package var bucket: String
        package var region: String
        /// nil: AWS's own host of the region.
        package var endpoint: String?
        package var pathStyle = false
        /// Empty: the credential chain of environment and profile.
        package var accessKey = ""
        package var secretKey = Secret("")
        package var sessionToken: String?
        package var proxy: HTTPProxy?

        package init(bucket: String, region: String, endpoint: String? = nil) {
            self.bucket = bucket
            self.region = region
            self.endpoint = endpoint
        }
    }

    private let store: S3Store
    /// Larger bodies go in parts.
    private static let singleRequest = 64 << 20
    private static let part = 16 << 20

    /// Connections for `init`, which may be shared by places; trusts what AWS's own tools would.
    package static func transport() -> HTTPTransport { HTTPTransport(trust: CredentialChain().namedTrust()) }

    package init(_ place: Place, transport: HTTPTransport, pool: BlockingPool, log: Logger, onRetry: @escaping @Sendable (String) -> Void) throws {
        var credentials = CredentialChain()
        if !place.accessKey.isEmpty {
            credentials.configured = Credentials(accessKey: place.accessKey, secretKey: place.secretKey, sessionToken: place.sessionToken)
        }
        let endpoint = try S3Endpoint(url: place.endpoint, bucket: place.bucket, pathStyle: place.pathStyle)
        var settings = S3Client.Settings(endpoint: endpoint, region: place.region, credentials: credentials, retry: RetryPolicy(retries: 5, base: 200))
        settings.proxy = place.proxy
        store = S3Store(S3Client(settings, transport: transport, pool: pool, log: log, onRetry: onRetry), S3Store.Options(), log: log)
    }

    /// Writes an object, over one that is there. Metadata names are in lower case.
    package func put(_ key: String, _ body: [UInt8], metadata: [String: String]) async throws {
        let attributes = ObjectAttributes(metadata: metadata)
        guard body.count > Self.singleRequest else {
            _ = try await store.put(key, body, attributes, ifAbsent: false)
            return
        }
        let upload = try await store.beginUpload(key, attributes)
        do {
            var parts: [UploadedPart] = []
            for (i, start) in stride(from: 0, to: body.count, by: Self.part).enumerated() {
                let bytes = Array(body[start..<min(start + Self.part, body.count)])
                parts.append(try await store.uploadPart(upload, number: i + 1, offset: Int64(start), bytes))
            }
            _ = try await store.complete(upload, parts, attributes, ifAbsent: false)
        } catch {
            await store.abort(upload)
            throw error
        }
    }
}
