import Avro
public import ConnectAPI
import JSON
import Parquet
import Transport

/// What the keys mean: each of these throws or reports one finding a key.
extension S3SinkConfiguration {
    public func crossCheck() -> [Diagnostic] {
        var findings: [Diagnostic] = []
        func check(_ key: String, _ body: () throws -> Void) {
            do { try body() } catch let error as ConnectorError {
                findings.append(Diagnostic(key, error.hint.map { "\(error.message). \($0)" } ?? error.message))
            } catch {
                findings.append(Diagnostic(key, "\(error)"))
            }
        }
        check("store.url") { _ = try location }
        findings += trust.findings
        if accessKey.isEmpty != secretKey.value.isEmpty {
            findings.append(
                Diagnostic(
                    accessKey.isEmpty ? "aws.access.key.id" : "aws.secret.access.key",
                    "aws.access.key.id and aws.secret.access.key must be given together, or neither"))
        }
        check("format.class") { _ = try fileFormat }
        check("timezone") { _ = try zone }
        check("partitioner.class") { _ = try partitionerKind }
        if rotateScheduleInterval > 0, timezone.isEmpty {
            findings.append(Diagnostic("timezone", "Timezone cannot be empty when using scheduled file rotation"))
        }
        if credentialsProvider.name.contains("AssumeRole"), role == nil {
            findings.append(Diagnostic("s3.credentials.provider.class", "s3.credentials.provider.sts.role.arn is missing, which names the role to take on"))
        }
        if !fileNameTemplate.isEmpty { check("file.name.template") { _ = try NameTemplate(fileNameTemplate, zone: .utc) } }
        if !["", "AES256", "aws:kms"].contains(encryption) { findings.append(Diagnostic("s3.ssea.name", "Value must be AES256 or aws:kms")) }
        if !customerKey.value.isEmpty {
            if CustomerKey(base64: customerKey.value) == nil {
                findings.append(Diagnostic("s3.sse.customer.key", "Value must be the base64 of a key of 32 bytes"))
            }
            if !kmsKey.isEmpty || encryption == "aws:kms" {
                findings.append(Diagnostic("s3.sse.customer.key", "A customer's key and aws:kms exclude each other"))
            }
        }
        if !kmsKey.isEmpty, encryption != "aws:kms" {
            findings.append(Diagnostic("s3.sse.kms.key.id", "s3.sse.kms.key.id needs s3.ssea.name=aws:kms"))
        }
        if wanMode, storeURL.map({ !$0.isEmpty }) ?? false { findings.append(Diagnostic("s3.wan.mode", "s3.wan.mode is AWS's: it excludes store.url")) }
        for (key, isSet, format) in [("keys.format.class", storeKeys, keysFormat), ("headers.format.class", storeHeaders, headersFormat)] where isSet {
            check(key) { _ = try fileFormat(of: format) }
        }
        check("s3.object.tagging.key.value.pairs") { _ = try extraTags }
        if let codec = avroCodec, AvroCodec(rawValue: codec.isEmpty ? "null" : codec.lowercased()) == nil {
            findings.append(Diagnostic("avro.codec", "Value must be null, deflate, snappy, bzip2 or zstandard"))
        }
        if manifestDelay >= 0, !fileNameTemplate.isEmpty || schemaAffix != "NONE" || (try? partitionerKind).map({ !Partitioner($0).extractsTimes }) == true {
            findings.append(
                Diagnostic(
                    "directory.manifest.delay.ms",
                    "Only directories of a time partitioner are closed by time: it excludes file.name.template, s3.schema.partition.affix.type and other partitioners"
                ))
        }
        if exactlyOnceMode == "ledger", !conditionalWrites {
            findings.append(Diagnostic("exactly.once.mode", "A ledger needs enable.conditional.writes=true: its entries are created only where there is none"))
        }
        findings += compaction.findings(try? plan)
        if !storageClass.name.hasSuffix("S3Storage") {
            findings.append(
                Diagnostic("storage.class", "Value must be io.confluent.connect.s3.storage.S3Storage; a local directory is chosen by store.url=file:///path"))
        }
        return findings
    }

    // MARK: Where

    enum Location: Equatable {
        case directory(String)
        case bucket(S3Endpoint)
    }

    var location: Location {
        get throws {
            if let url = storeURL, url.hasPrefix("file:") || url.hasPrefix("/") {
                var path = url.hasPrefix("file:") ? String(url.dropFirst(5)) : url
                if path.hasPrefix("///") { path = String(path.dropFirst(2)) }
                guard path.hasPrefix("/"), !path.hasPrefix("//") else {
                    throw ConnectorError(
                        "config.invalid", .stop, "A local directory is named by its absolute path", hint: "Write it as file:///data/lake or /data/lake")
                }
                // A bucket is a directory below, as it is below an endpoint.
                while path.hasSuffix("/") { path.removeLast() }
                let root = PercentCoding.decode(path)
                return .directory(bucket.map { $0.isEmpty ? root : "\(root)/\($0)" } ?? root)
            }
            guard let bucket, !bucket.isEmpty else {
                throw ConnectorError(
                    "config.invalid", .stop, "s3.bucket.name is missing", hint: "Name the bucket, or a local directory as store.url=file:///data/lake")
            }
            return .bucket(try S3Endpoint(url: storeURL, bucket: bucket, pathStyle: pathStyle, accelerated: wanMode))
        }
    }

    // MARK: Contents

    var fileFormats: FileFormats {
        get throws {
            let values = try fileFormat
            return FileFormats(
                values: values, keys: storeKeys ? try fileFormat(of: keysFormat) : values, headers: storeHeaders ? try fileFormat(of: headersFormat) : values,
                storesKeys: storeKeys, storesHeaders: storeHeaders)
        }
    }

    var fileFormat: FileFormat { get throws { try fileFormat(of: format) } }

    /// Where the keys of tombstones go: Confluent's way of `write`, which needs stored keys. Without them a tombstone is a row with `__deleted`.
    var tombstones: String? { storeKeys && nullValues.lowercased() == "write" ? tombstonePartition : nil }

    private func fileFormat(of format: ClassName) throws -> FileFormat {
        do {
            let gzip = compressionType == "gzip" ? GzipLevel(value: Int32(compressionLevel)) : nil
            switch format.name.split(separator: ".").last.map({ $0.lowercased() }) {
            case "parquetformat", "parquet":
                let codec = parquetCodec.lowercased()
                return .parquet(parquet.options(codec == "uncompressed" ? .none : ParquetOptions.Codec(rawValue: codec) ?? .snappy))
            case "jsonformat", "json", "jsonl":
                return .json(
                    ConnectJSONOptions(schemasEnabled: false, decimalFormat: decimalFormat.uppercased() == "NUMERIC" ? .numeric : .base64), gzip,
                    schemaless: isSchemaless)
            case "avroformat", "avro":
                let codec = avroCodec.flatMap { AvroCodec(rawValue: $0.lowercased()) } ?? .null
                return .avro(codec, connectMetadata: connectMetadata)
            case "bytearrayformat", "bytes":
                let separator = byteArraySeparator.flatMap { $0.isEmpty ? nil : $0 } ?? "\n"
                return .bytes(separator: Array(separator.utf8), fileExtension: byteArrayExtension, gzip)
            default:
                throw ConnectorError(
                    "config.invalid", .stop, "The format '\(format.name)' is not supported",
                    hint:
                        "Use io.confluent.connect.s3.format.parquet.ParquetFormat, .json.JsonFormat, .avro.AvroFormat or .bytearray.ByteArrayFormat of the same package"
                )
            }
        }
    }

    /// What becomes of values that do not say which columns they have.
    var schemaless: SinkPlan.Schemaless? {
        guard isSchemaless else { return nil }
        switch try? fileFormat {
        case .parquet: return parquet.schemalessIsText ? .text : .columns
        case .avro: return .columns
        default: return nil
        }
    }

    /// Values are Java maps in Kafka Connect: JsonConverter without schemas made them.
    var isSchemaless: Bool { !valueSchemas && valueConverter?.name.hasSuffix("JsonConverter") == true }

    // MARK: Directories

    var zone: TimeZoneRules {
        get throws { timezone.isEmpty ? .utc : try TimeZoneRules(timezone) }
    }

    private func time(_ duration: Int64, _ pattern: String) throws -> Partitioner.Kind {
        guard !timezone.isEmpty else {
            throw ConnectorError("config.invalid", .stop, "timezone is missing, which the time partitioners need", hint: "Set timezone=UTC")
        }
        return .time(TimeDirectories(duration: duration, format: try PathFormat(pattern), zone: try zone, extractor: try extractor))
    }

    private var extractor: TimestampExtractor {
        get throws {
            switch timestampExtractor.split(separator: "$").last.map(String.init)?.split(separator: ".").last ?? "" {
            case "Wallclock", "WallclockTimestampExtractor": return .wallclock
            case "Record", "RecordTimestampExtractor": return .record
            case "RecordField", "RecordFieldTimestampExtractor":
                return .recordField(path: timestampField.split(separator: ".").map(String.init), .init(rawValue: timestampFallback) ?? .dlq)
            default:
                throw ConnectorError("config.invalid", .stop, "timestamp.extractor is '\(timestampExtractor)'", hint: "Use Wallclock, Record or RecordField")
            }
        }
    }

    var partitionerKind: Partitioner.Kind {
        get throws {
            let day: Int64 = 86_400_000, d = directoryDelimiter
            switch partitioner.name.split(separator: ".").last.map(String.init) ?? "" {
            case "DefaultPartitioner", "Default": return .default
            case "FieldPartitioner", "Field":
                guard partitionFields.contains(where: { !$0.isEmpty }) else {
                    throw ConnectorError("config.invalid", .stop, "partition.field.name is missing, which FieldPartitioner needs")
                }
                return .fields(
                    FieldDirectories(fields: partitionFields.filter { !$0.isEmpty }, escape: PathEscape(rawValue: valueEscape) ?? .none, delimiter: d))
            case "TimeBasedPartitioner", "TimeBased":
                guard partitionDuration > 0 else {
                    throw ConnectorError("config.invalid", .stop, "partition.duration.ms must be a positive number for TimeBasedPartitioner")
                }
                guard !pathFormat.isEmpty else { throw ConnectorError("config.invalid", .stop, "path.format is missing, which TimeBasedPartitioner needs") }
                return try time(partitionDuration, pathFormat)
            case "DailyPartitioner", "Daily": return try time(day, "'year'=YYYY'\(d)month'=MM'\(d)day'=dd")
            case "HourlyPartitioner", "Hourly": return try time(3_600_000, "'year'=YYYY'\(d)month'=MM'\(d)day'=dd'\(d)hour'=HH")
            default:
                throw ConnectorError(
                    "config.invalid", .stop, "The partitioner '\(partitioner.name)' is not supported",
                    hint: "Use DefaultPartitioner, FieldPartitioner, TimeBasedPartitioner, DailyPartitioner or HourlyPartitioner")
            }
        }
    }

    /// Columns that readers take from the directories of this configuration.
    var directoryColumns: Set<String> {
        get throws {
            let sample =
                switch try partitionerKind {
                case .default: "partition=0"
                case .fields(let fields): fields.sample
                case .time(let times): times.sample
                case .template: ""
                }
            var path = "\(topicsDirectory)/\(sample)"
            if directoryDelimiter != "/" { path = path.split(separator: directoryDelimiter).joined(separator: "/") }
            // A template may leave the partitioner's directory out.
            guard let template = try naming.template else { return DirectoryColumns.names(path) }
            let shown = fileNameTemplate.contains("{{directory}}") ? path : topicsDirectory
            return DirectoryColumns.names("\(shown)/\(template.sample)")
        }
    }

    // MARK: Rotation

    var rotationPolicy: PartitionRotation.Policy {
        get throws {
            PartitionRotation.Policy(
                flushSize: flushSize, interval: max(0, rotateInterval), schedule: max(0, rotateScheduleInterval), zone: try zone,
                onDirectoryChange: rotateOnDirectoryChange, maxOpenFiles: max(0, maxOpenFiles),
                compatibility: SchemaCompatibility(rawValue: schemaCompatibility) ?? .none)
        }
    }

    var naming: FileNaming {
        get throws {
            FileNaming(
                topicsDirectory: topicsDirectory, directoryDelimiter: directoryDelimiter, fileDelimiter: fileDelimiter, padWidth: offsetPadWidth,
                fileExtension: try fileFormat.fileExtension,
                template: fileNameTemplate.isEmpty ? nil : try NameTemplate(fileNameTemplate, zone: try zone),
                tombstones: tombstones, keysExtension: try fileFormats.keys.fileExtension, headersExtension: try fileFormats.headers.fileExtension)
        }
    }

    // MARK: S3

    func clientSettings(_ endpoint: S3Endpoint) -> S3Client.Settings {
        var credentials = CredentialChain()
        if !accessKey.isEmpty { credentials.configured = Credentials(accessKey: accessKey, secretKey: secretKey, sessionToken: nil) }
        credentials.anonymous = credentialsProvider.name.contains("Anonymous")
        credentials.role = role
        let region = region.flatMap { $0.isEmpty ? nil : $0 } ?? credentials.namedRegion() ?? "us-west-2"
        credentials.region = region
        credentials.stsEndpoint = stsEndpoint
        return S3Client.Settings(
            endpoint: endpoint, region: region, credentials: credentials,
            retry: RetryPolicy(retries: partRetries, base: retryBackoff, cap: retryBackoffMaximum),
            payloadSigning: .init(rawValue: payloadSigning) ?? .auto, expectContinue: expectContinue, sendMD5: sendDigest,
            trust: trust.file,
            proxy: proxyURL.isEmpty ? nil : HTTPProxy(url: proxyURL, user: proxyUser, password: proxyUser == nil ? nil : proxyPassword))
    }

    /// The role to take on: Confluent's keys of its provider class, or Aiven's.
    private var role: AssumedRole? {
        let options = credentialsOptions
        guard let arn = options["sts.role.arn"] ?? roleARN, !arn.isEmpty else { return nil }
        return AssumedRole(
            arn: arn, sessionName: options["sts.role.session.name"] ?? roleSessionName ?? "sluice",
            externalID: options["sts.role.external.id"] ?? roleExternalID, duration: roleDuration)
    }

    var storeOptions: S3Store.Options {
        S3Store.Options(
            createBucket: createBucket, encryption: customerKey.value.isEmpty ? encryption : "", kmsKey: kmsKey, cannedACL: cannedACL,
            customerKey: CustomerKey(base64: customerKey.value),
            prefix: topicsDirectory.isEmpty ? "" : topicsDirectory + directoryDelimiter)
    }

    // MARK: Tags

    var objectTags: ObjectTags? {
        tagging ? ObjectTags(more: (try? extraTags) ?? [], isRequired: taggingErrors.lowercased() == "fail") : nil
    }

    /// `key:value,key:value`.
    private var extraTags: [(name: String, value: String)] {
        get throws {
            try taggingPairs.filter { !$0.isEmpty }.map { pair in
                guard let colon = pair.firstIndex(of: ":"), colon != pair.startIndex else {
                    throw ConnectorError("config.invalid", .stop, "'\(pair)' is no pair", hint: "Write it as key:value")
                }
                return (String(pair[..<colon]).trimmingSpaces(), String(pair[pair.index(after: colon)...]).trimmingSpaces())
            }
        }
    }
}
