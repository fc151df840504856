/// A stage that stands on a bucket of the user's own: files are written with the user's credentials, Snowflake reads them with the stage's.
struct ExternalStage: Stage {
    let reference: String
    /// The part of the stage's URL behind the bucket, with a slash at the end; empty for the bucket's root.
    let prefix: String
    /// Writes an object, over one that is there.
    let put: @Sendable (_ key: String, _ body: [UInt8]) async throws -> Void

    func store(_ path: String, _ body: [UInt8]) async throws { try await put(prefix + path, body) }
}
