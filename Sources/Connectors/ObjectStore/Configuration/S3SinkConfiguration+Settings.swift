public import ConnectAPI
import JSON
import Parquet

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
        if !fileNameTemplate.isEmpty { check("file.name.template") { _ = try NameTemplate(fileNameTemplate, zone: .utc) } }
        if !["", "AES256", "aws:kms"].contains(encryption) {
            findings.append(Diagnostic("s3.ssea.name", "Value must be AES256 or aws:kms; keys of the customer's own (SSE-C) are not supported"))
        }
        for (key, isSet) in [
            ("store.kafka.keys", storeKeys), ("store.kafka.headers", storeHeaders), ("s3.sse.customer.key", !customerKey.value.isEmpty),
            ("s3.wan.mode", wanMode), ("s3.schema.partition.affix.type", schemaAffix != "NONE"),
        ] where isSet {
            findings.append(Diagnostic(key, "\(key) is not supported; remove it"))
        }
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
            return .bucket(try S3Endpoint(url: storeURL, bucket: bucket, pathStyle: pathStyle))
        }
    }

    // MARK: Contents

    var fileFormat: FileFormat {
        get throws {
            let gzip = compressionType == "gzip" ? GzipLevel(value: Int32(compressionLevel)) : nil
            switch format.name.split(separator: ".").last.map({ $0.lowercased() }) {
            case "parquetformat", "parquet":
                var options = ParquetOptions()
                let codec = parquetCodec.lowercased()
                options.codec = codec == "uncompressed" ? .none : ParquetOptions.Codec(rawValue: codec) ?? .snappy
                options.rowGroupRows = rowGroupRows
                options.rowGroupBytes = Int(rowGroupBytes)
                return .parquet(options)
            case "jsonformat", "json", "jsonl":
                return .json(
                    ConnectJSONOptions(schemasEnabled: false, decimalFormat: decimalFormat.uppercased() == "NUMERIC" ? .numeric : .base64), gzip,
                    schemaless: isSchemaless)
            case "bytearrayformat", "bytes":
                let separator = byteArraySeparator.flatMap { $0.isEmpty ? nil : $0 } ?? "\n"
                return .bytes(separator: Array(separator.utf8), fileExtension: byteArrayExtension, gzip)
            default:
                throw ConnectorError(
                    "config.invalid", .stop, "The format '\(format.name)' is not supported",
                    hint:
                        "Use io.confluent.connect.s3.format.parquet.ParquetFormat, io.confluent.connect.s3.format.json.JsonFormat or io.confluent.connect.s3.format.bytearray.ByteArrayFormat"
                )
            }
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
                template: fileNameTemplate.isEmpty ? nil : try NameTemplate(fileNameTemplate, zone: try zone))
        }
    }

    // MARK: S3

    func clientSettings(_ endpoint: S3Endpoint) -> S3Client.Settings {
        var credentials = CredentialChain()
        if !accessKey.isEmpty { credentials.configured = Credentials(accessKey: accessKey, secretKey: secretKey, sessionToken: nil) }
        credentials.anonymous = credentialsProvider.name.contains("Anonymous")
        return S3Client.Settings(
            endpoint: endpoint, region: region, credentials: credentials, retry: RetryPolicy(retries: partRetries, base: retryBackoff),
            payloadSigning: .init(rawValue: payloadSigning) ?? .auto, expectContinue: expectContinue, sendMD5: sendDigest,
            proxy: proxyURL.isEmpty ? nil : proxyURL, proxyUser: proxyUser, proxyPassword: proxyUser == nil ? nil : proxyPassword)
    }

    var storeOptions: S3Store.Options {
        S3Store.Options(
            createBucket: createBucket, encryption: encryption, kmsKey: kmsKey, cannedACL: cannedACL,
            prefix: topicsDirectory.isEmpty ? "" : topicsDirectory + directoryDelimiter)
    }
}
