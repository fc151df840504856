import Avro
import ConnectAPI
import JSON
import Parquet

/// What the common keys of Aiven's sinks mean.
extension AivenFileConfiguration {
    static let fieldsProblem: @Sendable (String) -> String? = { text in
        let fields = [String](configText: text) ?? []
        if fields.allSatisfy(\.isEmpty) { return "cannot be empty" }
        return fields.allSatisfy { OutputFields.Field(rawValue: $0.lowercased()) != nil }
            ? nil : "supported values are: \(OutputFields.Field.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", "))"
    }

    /// `template` replaces file.name.template.
    func findings(fields: [String], compression: String, prefix: String, template replacing: String? = nil) -> [Diagnostic] {
        var findings: [Diagnostic] = []
        func check(_ key: String, _ body: () throws -> Void) {
            do { try body() } catch let error as ConnectorError {
                findings.append(Diagnostic(key, error.hint.map { "\(error.message). \($0)" } ?? error.message))
            } catch {
                findings.append(Diagnostic(key, "\(error)"))
            }
        }
        check("file.name.timestamp.timezone") { _ = try zone }
        check("file.name.template") {
            let template = try template(replacing, compression: compression, zone: .utc)
            if keepsLedger, template.isCompacting {
                findings.append(
                    Diagnostic("exactly.once.mode", "A ledger lists files that stay, and {{key}} alone names files that the newest record replaces"))
            }
            if (nameTemplate ?? "").hasPrefix(".well-known/acme-challenge") {
                throw PathFormat.Mistake(description: "cannot start with '.well-known/acme-challenge'")
            }
            if template.isCompacting, maxRecords > 1 {
                throw PathFormat.Mistake(description: "When file.name.template is \(nameTemplate ?? ""), file.max.records must be either 1 or not set")
            }
        }
        if !envelope, fields.count != 1 {
            findings.append(
                Diagnostic("format.output.envelope", "When format.output.envelope is false, format.output.fields must contain only one field"))
        }
        if AvroCodec(rawValue: avroCodec.lowercased()) == nil {
            findings.append(Diagnostic("avro.codec", "Value must be null, deflate, snappy, bzip2 or zstandard"))
        }
        if timestampSource.uppercased() == "FIELD", (timestampField ?? "").isEmpty {
            findings.append(Diagnostic("file.name.timestamp.field", "file.name.timestamp.source is FIELD, and file.name.timestamp.field names none"))
        }
        if isAvro, compression != "none" {
            findings.append(
                Diagnostic(
                    "file.compression.type",
                    "Avro files are compressed by blocks: set avro.codec, and file.compression.type to none (readers expect plain files)"))
        }
        return findings
    }

    // MARK: Parts

    private var keepsLedger: Bool { exactlyOnceMode == "ledger" }
    var isParquet: Bool { type.lowercased() == "parquet" }
    var isAvro: Bool { type.lowercased() == "avro" }
    private var isSchemaless: Bool { !valueSchemas && valueConverter?.name.hasSuffix("JsonConverter") == true }

    var zone: TimeZoneRules { get throws { try TimeZoneRules(timezone) } }

    private func template(_ replacing: String?, compression: String, zone: TimeZoneRules) throws -> NameTemplate {
        let given = replacing ?? nameTemplate.flatMap { $0.isEmpty ? nil : $0 }
        return try NameTemplate(
            given ?? "{{topic}}-{{partition}}-{{start_offset}}\(isAvro ? ".avro" : "")\(Self.compression(compression).fileExtension)", zone: zone,
            dividing: true)
    }

    static func compression(_ name: String) -> Compression {
        switch name.lowercased() {
        case "gzip": .gzip(GzipLevel(value: -1))
        case "snappy": .snappy
        case "zstd": .zstd
        default: .none
        }
    }

    private var times: TimestampExtractor {
        switch timestampSource.uppercased() {
        case "WALLCLOCK": .wallclock
        case "FIELD": .recordField(path: (timestampField ?? "").split(separator: ".").map(String.init), .record)
        default: .record
        }
    }

    private func format(_ compression: String) -> FileFormat {
        let options = ConnectJSONOptions(schemasEnabled: false)
        switch type.lowercased() {
        case "parquet": return .parquet(parquet.options(ParquetOptions.Codec(rawValue: compression.lowercased()) ?? .none))
        case "avro": return .avro(AvroCodec(rawValue: avroCodec.lowercased()) ?? .null, connectMetadata: true)
        case "json": return .text(.jsonArray, options, Self.compression(compression))
        case "jsonl": return .text(.jsonLines, options, Self.compression(compression))
        default: return .text(.csv, options, Self.compression(compression))
        }
    }

    private func output(_ fields: [String]) -> OutputFields? {
        let style: OutputFields.Style =
            switch type.lowercased() {
            case "parquet", "avro": .columns
            case "json", "jsonl": .json(schemaless: isSchemaless)
            default: .csv(base64: valueEncoding.lowercased() == "base64")
            }
        let wanted = fields.compactMap { OutputFields.Field(rawValue: $0.lowercased()) }
        let output = OutputFields(fields: wanted, envelope: envelope, style: style)
        // The value alone, as columns: nothing to make of it.
        return !envelope && wanted == [.value] && style == .columns ? nil : output
    }

    // MARK: The plan

    func plan(fields: [String], compression: String, prefix: String, template replacing: String? = nil, partSize: Int) throws -> SinkPlan {
        let zone = try zone, template = try template(replacing, compression: compression, zone: zone), format = format(compression)
        var naming = FileNaming(topicsDirectory: "", fileExtension: format.fileExtension)
        naming.namePrefix = prefix
        naming.template = template
        naming.times = times
        var plan = SinkPlan(
            naming: naming, formats: FileFormats(values: format, keys: format, headers: format),
            partitioner: .template(TemplateGroups(template.groups, zone: zone, extractor: times)), rotation: .init(flushSize: 0), partSize: partSize)
        plan.output = output(fields)
        plan.nulls = NullValues(rawValue: nullValues.lowercased()) ?? .ignore
        plan.payloadPath = payloadPath.split(separator: ".").map(String.init)
        plan.keepsNewest = template.isCompacting
        plan.conditional = !template.isCompacting
        plan.boundaryHeader = boundaryHeader.flatMap { $0.isEmpty ? nil : $0 }
        plan.fileMaxRecords = template.isCompacting ? 0 : maxRecords
        plan.fileMaxBytes = Int(maxBytes)
        plan.fileMaxAge = max(0, maxAge)
        plan.maxUncommitted = maxUncommitted
        plan.retryBackoff = kafkaRetryBackoff ?? 5000
        plan.flushOnStop = flushOnStop
        plan.compaction = compaction.policy
        if isSchemaless, isParquet || isAvro { plan.schemaless = isParquet && parquet.schemalessIsText ? .text : .columns }
        if dropsPartitionFields { plan.droppedFields = DirectoryColumns.names(prefix + template.sample) }
        if keepsLedger {
            plan.keepLedger()
        } else if !naming.isMetAgain {
            plan.warnings.append(
                "The names of file.name.template depend on the wall clock, a counter or chance, so that after a crash the records of files that were stored last may be stored once more; names of {{start_offset}} and record times (file.name.timestamp.source=EVENT) are met again, and with exactly.once.mode=ledger any name is stored once"
            )
        }
        return plan
    }
}
