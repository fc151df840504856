import ConnectAPI

/// How fast files go to an S3 store, for benchmarks: the store and its pool as a sink task uses them.
package enum UploadRate {
    /// MiB a second of `files` files at once, each sent in parts. `signed`: bodies are hashed and signed, as over http; otherwise they carry their CRC32C
    /// alone, as over https.
    package static func measure(endpoint: String, files: Int, bytes: Int, signed: Bool) async throws -> Double {
        let pool = BlockingPool(threads: 8)
        defer { pool.stop() }
        var credentials = CredentialChain()
        credentials.configured = Credentials(accessKey: "key", secretKey: Secret("secret"))
        let client = S3Client(
            S3Client.Settings(
                endpoint: try S3Endpoint(url: endpoint, bucket: "bench", pathStyle: true), region: "us-east-1", credentials: credentials,
                payloadSigning: signed ? .signed : .unsigned),
            pool: pool, log: Logger("bench"))
        let store = S3Store(client, S3Store.Options(), log: Logger("bench")), partSize = 25 << 20
        let part = [UInt8](unsafeUninitializedCapacity: partSize) { buffer, count in
            for i in 0..<partSize { buffer[i] = UInt8(truncatingIfNeeded: i &* 31) }
            count = partSize
        }
        let started = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for file in 0..<files {
                group.addTask {
                    let upload = try await store.beginUpload("file-\(file)", ObjectAttributes())
                    var parts: [UploadedPart] = [], sent = 0
                    while sent < bytes {
                        let piece = bytes - sent >= partSize ? part : Array(part[0..<bytes - sent])
                        parts.append(try await store.uploadPart(upload, number: parts.count + 1, offset: Int64(sent), piece))
                        sent += piece.count
                    }
                    _ = try await store.complete(upload, parts, ObjectAttributes(), ifAbsent: true)
                }
            }
            try await group.waitForAll()
        }
        let spent = started.duration(to: .now)
        return Double(files * bytes) / Double(1 << 20) / (Double(spent.components.seconds) + Double(spent.components.attoseconds) * 1e-18)
    }
}
