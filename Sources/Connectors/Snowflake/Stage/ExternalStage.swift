import ConnectorsObjectStore

/// A stage that stands on a bucket of the user's own: files are written with the user's credentials, Snowflake reads them with the stage's.
struct ExternalStage: Stage {
    let reference: String
    let uploads: S3Uploads
    /// The part of the stage's URL behind the bucket, with a slash at the end; empty for the bucket's root.
    let prefix: String

    func store(_ path: String, _ body: [UInt8]) async throws { try await uploads.put(prefix + path, body, metadata: [:]) }
}
