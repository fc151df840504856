package import ConnectAPI
package import Transport

/// Plain uploads to a Cloud Storage bucket, for sinks that stand on a store without this engine: an external Snowflake stage.
package struct GCSUploads: Sendable {
    package struct Place: Sendable {
        package var bucket: String
        /// nil: Google's own host.
        package var endpoint: String?
        /// A service account's key file or its text; neither: Application Default Credentials.
        package var credentialsPath: String?
        package var credentialsJSON: Secret?
        package var proxy: HTTPProxy?

        package init(bucket: String) { self.bucket = bucket }
    }

    private let store: GCSStore

    package init(_ place: Place, pool: BlockingPool, log: Logger, onRetry: @escaping @Sendable (String) -> Void) throws {
        var credentials = GoogleCredentialChain()
        credentials.path = place.credentialsPath
        credentials.json = place.credentialsJSON
        credentials.usesDefault = place.credentialsPath == nil && place.credentialsJSON == nil
        // An emulator takes no credentials.
        if credentials.usesDefault, credentials.emulator != nil { credentials.usesDefault = false }
        var settings = GCSClient.Settings(
            endpoint: try GCSEndpoint(url: place.endpoint ?? credentials.emulator, bucket: place.bucket), credentials: credentials)
        settings.proxy = place.proxy
        store = GCSStore(GCSClient(settings, pool: pool, log: log, onRetry: onRetry), GCSStore.Options(conditional: false))
    }

    /// Writes an object, over one that is there.
    package func put(_ key: String, _ body: [UInt8]) async throws { _ = try await store.put(key, body, ObjectAttributes(), ifAbsent: false) }
}
