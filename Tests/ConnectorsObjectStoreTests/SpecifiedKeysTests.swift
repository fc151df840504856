import ConnectAPI
import Foundation
import TestSupport
import Testing

@testable import ConnectorsObjectStore

/// The keys that configurations people already have may hold, as Confluent's and Aiven's connectors spell them. Each is known; each that must or should
/// work is used by a test that shows what it does; one that changes nothing here is accepted, and said.
@Suite struct SpecifiedKeysTests {
    enum Duty { case must, should, later, withoutEffect }

    static let confluent: [(Duty, [String])] = [
        (
            .must,
            [
                "storage.class", "s3.bucket.name", "s3.region", "store.url", "s3.path.style.access.enabled", "aws.access.key.id", "aws.secret.access.key",
                "s3.part.size", "s3.part.retries", "s3.retry.backoff.ms", "retry.backoff.ms", "flush.size", "rotate.interval.ms", "rotate.schedule.interval.ms",
                "partitioner.class", "partition.field.name", "partition.duration.ms", "path.format", "locale", "timezone", "timestamp.extractor",
                "timestamp.field", "format.class", "parquet.codec", "topics.dir", "directory.delim", "file.delim", "filename.offset.zero.pad.width",
                "schema.compatibility", "behavior.on.null.values", "enable.conditional.writes", "s3.http.send.expect.continue",
                // Ours, with which the field's usual troubles end.
                "timestamp.fallback", "partition.value.escape", "file.max.bytes", "file.max.records", "file.max.age.ms", "max.uncommitted.ms", "payload.path",
            ]
        ),
        (
            .should,
            [
                "s3.credentials.provider.class", "s3.credentials.provider.sts.role.arn", "s3.credentials.provider.sts.role.session.name",
                "s3.credentials.provider.sts.role.external.id", "rotate.file.on.partition.change", "partitioner.max.open.files", "avro.codec",
                "json.decimal.format", "s3.compression.type", "s3.compression.level", "tombstone.encoded.partition", "report.null.values.to.dlq",
                "store.kafka.keys", "store.kafka.headers", "keys.format.class", "headers.format.class", "s3.ssea.name", "s3.sse.kms.key.id", "s3.acl.canned",
                "s3.object.tagging", "s3.object.tagging.key.value.pairs", "s3.object.behavior.on.tagging.error", "s3.proxy.url", "s3.proxy.user",
                "s3.proxy.password", "s3.payload.signing", "watermark.interval.ms", "directory.manifest.delay.ms", "exactly.once.mode", "partition.drop.field",
                // Aiven's names, for a configuration that changes its class only.
                "aws.s3.bucket.name", "aws.s3.endpoint", "aws.s3.region", "aws.s3.part.size.bytes", "aws.s3.prefix", "aws.s3.sse.algorithm", "aws.sts.role.arn",
                "aws.sts.role.external.id", "aws.sts.role.session.name", "aws.sts.role.session.duration", "aws.sts.config.endpoint", "aws.credentials.provider",
                "aws.s3.backoff.delay.ms", "aws.s3.backoff.max.delay.ms", "aws.s3.backoff.max.retries",
            ]
        ),
        (
            .later,
            [
                "format.bytearray.extension", "format.bytearray.separator", "connect.meta.data", "s3.sse.customer.key", "s3.wan.mode",
                "s3.schema.partition.affix.type",
            ]
        ),
        (
            .withoutEffect,
            [
                "schema.generator.class", "shutdown.timeout.ms", "append.late.data", "enhanced.avro.schema.support", "schemas.cache.config",
                "allow.optional.map.keys", "max.files.scan.limit", "max.write.duration.ms", "s3.elastic.buffer.enable", "s3.elastic.buffer.init.capacity",
            ]
        ),
        // One that we send on request all the same.
        (.later, ["s3.send.digest"]),
    ]

    /// What Aiven's sinks have in common.
    static let aiven: [(Duty, [String])] = [
        (
            .must,
            [
                "kafka.retry.backoff.ms", "file.name.template", "file.name.timestamp.timezone", "file.name.timestamp.source", "file.compression.type",
                "file.max.records", "file.max.bytes", "format.output.type", "format.output.fields", "format.output.envelope", "file.max.age.ms", "payload.path",
            ]
        ), (.should, ["format.output.fields.value.encoding"]), (.later, ["avro.codec"]),
    ]

    static let gcs: [(Duty, [String])] = [
        (
            .must,
            [
                "gcs.bucket.name", "gcs.credentials.path", "gcs.credentials.json", "gcs.credentials.default", "gcs.endpoint",
                "gcs.retry.backoff.initial.delay.ms", "gcs.retry.backoff.delay.multiplier", "gcs.retry.backoff.max.delay.ms",
                "gcs.retry.backoff.total.timeout.ms", "gcs.retry.backoff.max.attempts", "file.name.prefix",
            ]
        ), (.should, ["gcs.object.content.encoding"]), (.later, ["gcs.user.agent"]),
    ]

    static let aivenS3: [(Duty, [String])] = [
        (
            .should,
            [
                "aws.access.key.id", "aws.secret.access.key", "aws.s3.bucket.name", "aws.s3.endpoint", "aws.s3.region", "aws.s3.part.size.bytes",
                "aws.s3.prefix", "aws.s3.sse.algorithm", "aws.sts.role.arn", "aws.sts.role.external.id", "aws.sts.role.session.name",
                "aws.sts.role.session.duration", "aws.sts.config.endpoint", "aws.credentials.provider", "aws.s3.backoff.delay.ms",
                "aws.s3.backoff.max.delay.ms", "aws.s3.backoff.max.retries",
            ]
        ), (.withoutEffect, ["file.prefix.template"]),
    ]

    /// Of the mapping to Parquet, in every face of the sink.
    static let parquet: [(Duty, [String])] = [
        (
            .must,
            [
                "parquet.decimal.encoding", "parquet.timestamp.local.as.utc", "parquet.keep.required", "parquet.parse.zoned", "parquet.timestamp.as",
                "parquet.variable.scale.decimal", "parquet.schemaless", "parquet.field.names",
            ]
        ),
        (
            .should,
            [
                "parquet.uuid", "parquet.json.annotation", "parquet.geometry", "parquet.bloom.filter.columns", "parquet.bloom.filter.fpp",
                "parquet.compression.level", "parquet.page.version", "parquet.row.group.rows", "parquet.row.group.bytes", "partition.drop.field",
            ]
        ),
    ]

    /// Of the merging of small files, in every face of the sink.
    static let compaction: [(Duty, [String])] = [(.should, ["compact.interval.ms", "compact.target.bytes", "compact.min.files", "compact.min.age.ms"])]

    @Test func everyKeyIsKnown() {
        func unknown<C: ConnectConfiguration>(_ type: C.Type, _ tables: [(Duty, [String])]...) -> [String] {
            let names = Set(C.keys.flatMap { [$0.name] + $0.aliases })
            return tables.joined().flatMap(\.1).filter { key in !names.contains(key) && !C.keyPrefixes.contains { key.hasPrefix($0) } }
        }
        #expect(unknown(S3SinkConfiguration.self, Self.confluent, Self.parquet, Self.compaction) == [])
        #expect(unknown(GCSSinkConfiguration.self, Self.aiven, Self.gcs, Self.parquet, Self.compaction) == [])
        #expect(unknown(AivenS3SinkConfiguration.self, Self.aiven, Self.aivenS3, Self.parquet, Self.compaction) == [])
    }

    /// A key that does something is set by a test of another suite; which of them judges what it does is the reader's to say.
    @Test func everyKeyThatWorksIsUsedByATest() throws {
        let root = Checkout.root + "/Tests", own = "SpecifiedKeysTests.swift"
        var text = ""
        for case let path as String in try #require(FileManager.default.enumerator(atPath: root))
        where path.hasSuffix(".swift") || path.hasSuffix("_config.json") {
            if !path.hasSuffix(own) { text += try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8) }
        }
        let tables = [Self.confluent, Self.aiven, Self.gcs, Self.aivenS3, Self.parquet, Self.compaction].joined()
        let unused = tables.filter { $0.0 != .withoutEffect }.flatMap(\.1).filter { !text.contains("\"\($0)\"") }
        #expect(Set(unused).sorted() == [])
    }

    @Test func keysWithoutEffectAreAcceptedAndSaid() throws {
        let values = [
            "schema.generator.class": "io.confluent.connect.storage.hive.schema.DefaultSchemaGenerator", "shutdown.timeout.ms": "1000",
            "append.late.data": "true",
            "enhanced.avro.schema.support": "false", "schemas.cache.config": "50", "allow.optional.map.keys": "true", "max.files.scan.limit": "10",
            "max.write.duration.ms": "100000", "s3.elastic.buffer.enable": "true", "s3.elastic.buffer.init.capacity": "4096",
            "file.prefix.template": "topics/{{topic}}/",
        ]
        let s3 = ["s3.bucket.name": "b", "format.class": "JsonFormat", "flush.size": "3"]
        for key in Self.confluent.filter({ $0.0 == .withoutEffect }).flatMap(\.1) {
            let (configuration, findings) = S3SinkConfiguration.parse(s3.merging([key: try #require(values[key])]) { $1 })
            #expect(findings.isEmpty, "\(key)")
            #expect(try configuration.plan.notices.contains { $0.contains(key) }, "\(key)")
        }
        for key in Self.aivenS3.filter({ $0.0 == .withoutEffect }).flatMap(\.1) {
            let (configuration, findings) = AivenS3SinkConfiguration.parse(["aws.s3.bucket.name": "b", key: try #require(values[key])])
            #expect(findings.isEmpty, "\(key)")
            #expect(try configuration.plan.notices.contains { $0.contains(key) }, "\(key)")
        }
    }
}
