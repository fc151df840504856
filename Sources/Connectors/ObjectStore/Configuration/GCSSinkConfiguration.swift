public import ConnectAPI

/// The keys of the GCS sink, spelled as Aiven's connector spells them; ours are in the group `Sluice`.
public struct GCSSinkConfiguration: ConnectConfiguration {
    public init() {}

    // MARK: Where
    @Field("gcs.bucket.name", importance: .high, doc: "The bucket to write to. It must exist", group: "GCS", check: .nonEmpty) var bucket: String
    @Field(
        "gcs.endpoint", importance: .low,
        doc: "Another endpoint than Google's: an emulator or a private one (http://127.0.0.1:9023). STORAGE_EMULATOR_HOST is read too", group: "GCS")
    var endpoint: String?
    let trust = TrustConfiguration()
    @Field(
        "gcs.object.content.encoding", importance: .low,
        doc: "The Content-Encoding of objects. With gzip, Cloud Storage decompresses on download: never set it on Parquet", group: "GCS") var contentEncoding:
        String?
    @Field("gcs.user.agent", default: "Sluice/0.1.0 (GPN: Sluice;)", importance: .low, doc: "The User-Agent of requests", group: "GCS") var userAgent: String

    // MARK: Credentials
    @Field(
        "gcs.credentials.path", importance: .low,
        doc: "A credentials file: a service account's key, or what gcloud and workload identity federation write. At most one of gcs.credentials.*",
        group: "GCS")
    var credentialsPath: String?
    @Field("gcs.credentials.json", importance: .low, doc: "The text of a credentials file", group: "GCS") var credentialsJSON: Secret?
    @Field(
        "gcs.credentials.default", importance: .low,
        doc:
            "true: Application Default Credentials, in Google's order: GOOGLE_APPLICATION_CREDENTIALS, gcloud's file, the metadata server. Without any of gcs.credentials.*, requests carry none",
        group: "GCS") var credentialsDefault: Bool?

    // MARK: Requests
    @Field(
        "gcs.retry.backoff.initial.delay.ms", default: "1000", doc: "The first back-off in milliseconds", group: "GCS retry backoff policy", check: .atLeast(0))
    var retryInitialDelay: Int64
    @Field(
        "gcs.retry.backoff.max.delay.ms", default: "32000", doc: "The longest back-off in milliseconds", group: "GCS retry backoff policy", check: .atLeast(0))
    var retryMaxDelay: Int64
    @Field(
        "gcs.retry.backoff.delay.multiplier", default: "2.0", doc: "What the back-off grows by", group: "GCS retry backoff policy",
        check: Check { Double($0).map { $0 < 1 } == true ? "Value must be at least 1.0" : nil }) var retryMultiplier: Double
    @Field(
        "gcs.retry.backoff.max.attempts", default: "6", doc: "Attempts of one request; 0: as many as the time allows", group: "GCS retry backoff policy",
        check: .atLeast(0)) var retryMaxAttempts: Int
    @Field(
        "gcs.retry.backoff.total.timeout.ms", default: "50000", doc: "Milliseconds all attempts of one request may take; 0: no limit",
        group: "GCS retry backoff policy", check: .between(0, 86_400_000)) var retryTotalTimeout: Int64
    @Field(
        "gcs.upload.part.size", default: "8388608", importance: .low,
        doc: "Bytes of one request of a resumable upload; smaller files are one request. A multiple of 262144", group: "Sluice",
        check: Check { text in
            guard let size = Int(text) else { return nil }
            return size < 262_144 || size > 1 << 30
                ? "Value must be between 262144 and 1073741824" : size % 262_144 != 0 ? "Value must be a multiple of 262144" : nil
        }) var partSize: Int

    // MARK: Files
    @Field(
        "file.name.prefix", default: "", doc: "What the names of all files begin with, such as transactions/", group: "File",
        check: Check { text in
            text.count > 1024
                ? "cannot be longer than 1024 characters"
                : text.hasPrefix(".well-known/acme-challenge") ? "cannot start with '.well-known/acme-challenge'" : nil
        }) var prefix: String
    @Field(
        "file.compression.type", default: "none", doc: "Compression of files: none, gzip, snappy, zstd; of Parquet files it is that of their pages",
        group: "File",
        check: Check(recommended: ["none", "gzip", "snappy", "zstd"]) {
            ["none", "gzip", "snappy", "zstd"].contains($0) ? nil : "supported values are: 'none', 'gzip', 'snappy', 'zstd'"
        }) var compression: String
    let files = AivenFileConfiguration()
    @Field(
        "format.output.fields", default: "value", doc: "What of a record files hold: key, value, offset, timestamp, headers", group: "Format",
        check: Check(recommended: OutputFields.Field.allCases.map(\.rawValue), AivenFileConfiguration.fieldsProblem)) var fields: [String]

    public func crossCheck() -> [Diagnostic] {
        var findings = files.findings(fields: fields, compression: compression, prefix: prefix) + trust.findings
        findings += files.compaction.findings(try? plan)
        let given = [credentialsPath != nil, credentialsJSON != nil, credentialsDefault != nil].count { $0 }
        if given > 1 {
            findings.append(
                Diagnostic(
                    "gcs.credentials.path", "Only one of gcs.credentials.default, gcs.credentials.json, and gcs.credentials.path can be non-null."))
        }
        do { _ = try location } catch { findings.append(Diagnostic("gcs.endpoint", "\(error)")) }
        if contentEncoding?.lowercased() == "gzip", files.isParquet {
            findings.append(
                Diagnostic("gcs.object.content.encoding", "Parquet files must not be sent as gzip: Cloud Storage would decompress what is not compressed so"))
        }
        if contentEncoding?.isEmpty == false, files.compaction.interval >= 0 {
            findings.append(
                Diagnostic(
                    "compact.interval.ms",
                    "Merged files are several compressed streams in a row, which not every client undoes by its Content-Encoding: remove gcs.object.content.encoding, or leave compact.interval.ms at -1"
                ))
        }
        return findings
    }

    // MARK: What it means

    private var ownEndpoint: String? { endpoint.flatMap { $0.isEmpty ? nil : $0 } }

    var chain: GoogleCredentialChain {
        // Emulators are asked without credentials, as Google's libraries do.
        if ownEndpoint == nil, GoogleCredentialChain().emulator != nil { return GoogleCredentialChain() }
        return GoogleCredentialChain(
            path: credentialsPath.flatMap { $0.isEmpty ? nil : $0 }, json: credentialsJSON.flatMap { $0.value.isEmpty ? nil : $0 },
            usesDefault: credentialsDefault ?? false)
    }

    var location: GCSEndpoint {
        get throws { try GCSEndpoint(url: ownEndpoint ?? GoogleCredentialChain().emulator, bucket: bucket) }
    }

    var clientSettings: GCSClient.Settings {
        get throws {
            GCSClient.Settings(
                endpoint: try location, credentials: chain,
                retry: GCSRetry(
                    initialDelay: retryInitialDelay, multiplier: retryMultiplier, maxDelay: retryMaxDelay, totalTimeout: retryTotalTimeout,
                    maxAttempts: retryMaxAttempts), userAgent: userAgent, trust: trust.file)
        }
    }

    var storeOptions: GCSStore.Options {
        get throws {
            let plan = try plan
            return GCSStore.Options(
                conditional: plan.conditional, contentEncoding: contentEncoding, hiddenDirectory: plan.keepsLedger ? plan.naming.hiddenDirectory : nil)
        }
    }

    var plan: SinkPlan {
        get throws {
            var plan = try files.plan(fields: fields, compression: compression, prefix: prefix, partSize: partSize)
            // A day: longer than any set is on its way.
            if plan.keepsLedger { plan.orphanAge = 86_400_000 }
            return plan
        }
    }
}
