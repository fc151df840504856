public import ConnectAPI

/// The keys of Aiven's S3 sink, spelled as theirs, the older names too; ours are in the group `Sluice`.
public struct AivenS3SinkConfiguration: ConnectConfiguration {
    public init() {}

    // MARK: Where
    @Field("aws.s3.bucket.name", importance: .high, doc: "The bucket to write to", group: "AWS", check: .nonEmpty, aliases: ["aws_s3_bucket"]) var bucket:
        String
    @Field(
        "aws.s3.endpoint", importance: .low, doc: "An endpoint other than AWS, such as http://minio:9000; buckets are in its paths", group: "AWS",
        aliases: ["aws_s3_endpoint"]) var endpoint: String?
    @Field(
        "aws.s3.region", doc: "The bucket's region; unset: of the environment or profile, or us-east-1. When the service names another, it is adopted",
        group: "AWS", aliases: ["aws_s3_region"]) var region: String?
    let trust = TrustConfiguration()
    @Field("s3.bucket.create", default: "false", doc: "Create the bucket when it does not exist", group: "Sluice") var createBucket: Bool

    // MARK: Credentials
    @Field("aws.access.key.id", doc: "The access key; without one AWS's chain is asked", group: "AWS", aliases: ["aws_access_key_id"]) var accessKey: Secret?
    @Field("aws.secret.access.key", doc: "The secret that belongs to aws.access.key.id", group: "AWS", aliases: ["aws_secret_access_key"]) var secretKey:
        Secret?
    @Field(
        "aws.credentials.provider", default: "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider",
        doc: "The default chain, or a class whose name contains Anonymous for unsigned requests", group: "AWS") var provider: ClassName
    @Field("aws.sts.role.arn", doc: "A role to take on, by its ARN", group: "AWS STS") var roleARN: String?
    @Field("aws.sts.role.external.id", doc: "The external id the role's trust policy asks for", group: "AWS STS") var roleExternalID: String?
    @Field("aws.sts.role.session.name", doc: "The session's name, as it appears in AWS's logs", group: "AWS STS") var roleSessionName: String?
    @Field(
        "aws.sts.role.session.duration", default: "3600", doc: "Seconds a session of the role lasts", group: "AWS STS", check: .between(900, 43_200))
    var roleDuration: Int
    @Field("aws.sts.config.endpoint", doc: "An STS other than the region's", group: "AWS STS") var stsEndpoint: String?

    // MARK: Requests
    @Field(
        "aws.s3.part.size.bytes", default: "5242880", doc: "Bytes of one part of a multipart upload; smaller files are one request. AWS wants 5 MiB at least",
        group: "AWS", check: .between(1, 2_000_000_000)) var partSize: Int
    @Field("aws.s3.sse.algorithm", doc: "Server-side encryption: AES256 or aws:kms", group: "AWS", check: .oneOf(["AES256", "aws:kms"])) var encryption: String?
    @Field(
        "aws.s3.backoff.delay.ms", default: "100", doc: "The first back-off of a request in milliseconds; it doubles, with full jitter",
        group: "S3 retry backoff policy", check: .atLeast(1)) var backoffDelay: Int64
    @Field("aws.s3.backoff.max.delay.ms", default: "20000", doc: "The longest back-off in milliseconds", group: "S3 retry backoff policy", check: .atLeast(1))
    var backoffMaxDelay: Int64
    @Field(
        "aws.s3.backoff.max.retries", default: "3", doc: "How often a request is tried again", group: "S3 retry backoff policy", check: .between(1, 30))
    var backoffMaxRetries: Int

    // MARK: Files
    @Field(
        "aws.s3.prefix", importance: .low,
        doc:
            "Deprecated: a template that names begin with; files are then named {{topic}}-{{partition}}-{{start_offset:padding=true}} after it. Use file.name.template",
        group: "AWS", aliases: ["aws_s3_prefix"]) var prefix: String?
    @Field("file.prefix.template", importance: .low, doc: "Accepted for compatibility: Aiven's source reads it", group: "File") var prefixTemplate: String?
    @Field(
        "file.compression.type", doc: "Compression of files: none, gzip, snappy, zstd. Unset: gzip for CSV and JSON, none for Parquet and Avro", group: "File",
        check: Check(recommended: ["none", "gzip", "snappy", "zstd"]) {
            ["none", "gzip", "snappy", "zstd"].contains($0) ? nil : "supported values are: 'none', 'gzip', 'snappy', 'zstd'"
        }, aliases: ["output_compression"]) var givenCompression: String?
    let files = AivenFileConfiguration()
    @Field(
        "format.output.fields", default: "value", doc: "What of a record files hold: key, value, offset, timestamp, headers", group: "Format",
        check: Check(recommended: OutputFields.Field.allCases.map(\.rawValue), AivenFileConfiguration.fieldsProblem), aliases: ["output_fields"])
    var fields: [String]

    public func crossCheck() -> [Diagnostic] {
        var findings = files.findings(fields: fields, compression: compression, prefix: "", template: template) + trust.findings
        if (accessKey == nil) != (secretKey == nil) {
            findings.append(
                Diagnostic(
                    accessKey == nil ? "aws.access.key.id" : "aws.secret.access.key",
                    "aws.access.key.id and aws.secret.access.key must be given together, or neither"))
        }
        findings += files.compaction.findings(try? plan)
        if roleARN != nil, roleSessionName == nil {
            findings.append(Diagnostic("aws.sts.role.session.name", "aws.sts.role.arn needs aws.sts.role.session.name"))
        }
        do { _ = try location } catch { findings.append(Diagnostic("aws.s3.endpoint", "\(error)")) }
        return findings
    }

    // MARK: What it means

    private var compression: String { givenCompression ?? (files.isParquet || files.isAvro ? "none" : "gzip") }

    /// Of the deprecated prefix, with its own names of dates; nil: file.name.template says it.
    private var template: String? {
        guard let prefix, !prefix.isEmpty else { return nil }
        var text = prefix
        for old in ["{{utc_date}}", "{{local_date}}", "{{ utc_date }}", "{{ local_date }}"] {
            text = text.split(separator: old, omittingEmptySubsequences: false).joined(separator: "{{date}}")
        }
        let suffix = (files.isAvro ? ".avro" : "") + AivenFileConfiguration.compression(compression).fileExtension
        return text + "{{topic}}-{{partition}}-{{start_offset:padding=true}}" + (files.isParquet ? "" : suffix)
    }

    var location: S3Endpoint { get throws { try S3Endpoint(url: endpoint.flatMap { $0.isEmpty ? nil : $0 }, bucket: bucket, pathStyle: true) } }

    var clientSettings: S3Client.Settings {
        get throws {
            var credentials = CredentialChain()
            if let accessKey, let secretKey { credentials.configured = Credentials(accessKey: accessKey.value, secretKey: secretKey, sessionToken: nil) }
            credentials.anonymous = provider.name.contains("Anonymous")
            if let roleARN, !roleARN.isEmpty {
                credentials.role = AssumedRole(arn: roleARN, sessionName: roleSessionName ?? "sluice", externalID: roleExternalID, duration: roleDuration)
            }
            let region = region.flatMap { $0.isEmpty ? nil : $0 } ?? credentials.namedRegion() ?? "us-east-1"
            credentials.region = region
            credentials.stsEndpoint = stsEndpoint
            return S3Client.Settings(
                endpoint: try location, region: region, credentials: credentials,
                retry: RetryPolicy(retries: backoffMaxRetries, base: backoffDelay, cap: backoffMaxDelay), trust: trust.file)
        }
    }

    var storeOptions: S3Store.Options { S3Store.Options(createBucket: createBucket, encryption: encryption ?? "") }

    var plan: SinkPlan {
        get throws {
            var plan = try files.plan(
                fields: fields, compression: compression, prefix: "", template: template, partSize: max(partSize, 5 << 20))
            if prefixTemplate != nil {
                plan.notices.append(
                    "file.prefix.template is accepted and changes nothing: Aiven's source reads it. What names begin with is part of file.name.template")
            }
            return plan
        }
    }
}
