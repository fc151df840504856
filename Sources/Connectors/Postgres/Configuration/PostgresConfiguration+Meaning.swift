package import ConnectAPI
import Glibc

/// What the keys mean together, and Debezium's words for what is wrong with them.
extension PostgresConfiguration {
    package static func findings(of problem: FieldProblem, key: ConfigKey, given: String) -> [Diagnostic] {
        let reason =
            switch problem {
            case .missing: "A value is required"
            case .refused(let reason): reason
            case .mismatch:
                switch key.kind {
                case .int, .short: "An integer is expected"
                case .long: "A long value is expected"
                case .boolean: "Either 'true' or 'false' is expected"
                default: "A value is required"
                }
            }
        let finding = Diagnostic(key.name, "The '\(key.name)' value is invalid: \(reason)")
        // Debezium checks the port twice and says so twice.
        return key.name == "database.port" && problem != .missing ? [finding, finding] : [finding]
    }

    package func crossCheck() -> [Diagnostic] {
        var findings: [Diagnostic] = []
        func refuse(_ key: String, _ reason: String) { findings.append(Diagnostic(key, "The '\(key)' value is invalid: \(reason)")) }
        for (include, included, exclude, excluded) in [
            ("schema.include.list", self.schemaIncludeList, "schema.exclude.list", self.schemaExcludeList),
            ("table.include.list", self.tableIncludeList, "table.exclude.list", self.tableExcludeList),
            ("column.include.list", self.columnIncludeList, "column.exclude.list", self.columnExcludeList),
            ("message.prefix.include.list", self.messagePrefixIncludeList, "message.prefix.exclude.list", self.messagePrefixExcludeList),
        ] {
            if included != nil, excluded != nil { refuse(exclude, "\"\(include)\" is already specified") }
            for (key, list) in [(include, included), (exclude, excluded)] {
                guard let list else { continue }
                do { _ = try PatternList(list) } catch {
                    refuse(key, "A comma-separated list of valid regular expressions is expected, but one of them is not valid")
                }
            }
        }
        do { _ = try ColumnMaskRules(self) } catch {
            refuse("column.mask.with.(d+).chars", (error as? ConnectorError)?.message ?? "A regular expression is not valid")
            return findings
        }
        for (key, list) in [
            ("column.propagate.source.type", self.columnPropagateSourceType), ("datatype.propagate.source.type", self.datatypePropagateSourceType),
        ] {
            guard let list else { continue }
            do { _ = try PatternList(list) } catch {
                refuse(key, "A comma-separated list of valid regular expressions is expected, but one of them is not valid")
                return findings
            }
        }
        do { _ = try CaptureFilter(self) } catch let error as ConnectorError {
            refuse("message.key.columns", error.message)
        } catch {
            refuse("message.key.columns", "A regular expression is not valid")
        }
        for operation in self.skippedOperations where !["c", "u", "d", "t", "none"].contains(operation) {
            refuse("skipped.operations", "\(operation) is not one of c, u, d, t, none")
        }
        for channel in self.signalEnabledChannels where !["source", "file"].contains(channel.lowercased()) {
            refuse("signal.enabled.channels", "There is no channel \(channel) here; signals are taken from source (the signal table) and file")
        }
        for channel in self.notificationEnabledChannels ?? [] where !["sink", "log"].contains(channel.lowercased()) {
            refuse("notification.enabled.channels", "There is no channel \(channel) here; notifications go to sink (a topic) and log")
        }
        if self.notificationEnabledChannels?.contains(where: { $0.lowercased() == "sink" }) == true, self.notificationSinkTopicName == nil {
            refuse("notification.sink.topic.name", "Notification topic name must be provided when notification channel sink is enabled")
        }
        if let table = self.signalDataCollection, table.split(separator: ".", omittingEmptySubsequences: false).count < 2 {
            refuse("signal.data.collection", "Write schema.table")
        }
        refuseJava(&findings)
        return findings
    }
}

extension PostgresConfiguration {
    /// What names a Java class of the user's, which cannot run here.
    private func refuseJava(_ findings: inout [Diagnostic]) {
        func refuse(_ key: String, _ reason: String) { findings.append(Diagnostic(key, "The '\(key)' value is invalid: \(reason)")) }
        func isGiven(_ text: String?) -> Bool { text?.isEmpty == false }
        if self.snapshotMode.lowercased() == "custom" { refuse("snapshot.mode", "Custom snapshotters are Java classes; use one of the other modes") }
        if self.snapshotQueryMode.lowercased() == "custom" {
            refuse("snapshot.query.mode", "Custom snapshot queries are Java classes; use snapshot.select.statement.overrides")
        }
        if self.snapshotLockingMode.lowercased() == "custom" { refuse("snapshot.locking.mode", "Custom locks are Java classes; use none or shared") }
        if isGiven(self.converters) { refuse("converters", "Custom converters are Java classes; use the modes of values, or transforms") }
        if isGiven(self.postProcessors) { refuse("post.processors", "Post processors are Java classes; REPLICA IDENTITY FULL sends unchanged values, too") }
        for (key, given, known, instead) in [
            ("topic.naming.strategy", self.topicNamingStrategy.name, "SchemaTopicNamingStrategy", "rename topics with RegexRouter or ByLogicalTableRouter"),
            ("transaction.metadata.factory", self.transactionMetadataFactory.name, "DefaultTransactionMetadataFactory", "leave it out"),
            ("sourceinfo.struct.maker", self.sourceinfoStructMaker.name, "PostgresSourceInfoStructMaker", "leave it out"),
        ] where given.split(separator: ".").last.map(String.init) != known {
            refuse(key, "\(given) is a Java class, which cannot run here; \(instead)")
        }
    }

    /// Keys that were given and change nothing here, each with the reason; said once at a start.
    func ineffective(_ given: [String: String]) -> [String] {
        let reasons = [
            ("database.sslfactory", "TLS is libpq's: use database.sslmode and the certificate files"),
            ("xmin.fetch.interval.ms", "source.xmin is always null"), ("snapshot.isolation.mode", "a snapshot is always read under one exported snapshot"),
            ("openlineage.integration.enabled", "no lineage is reported"),
        ]
        var notes = reasons.filter { key, _ in given[key].map { !$0.isEmpty && $0 != "0" && $0 != "false" && $0 != "serializable" } ?? false }
            .map { "\($0.0) has no effect: \($0.1)" }
        if self.eventProcessingFailureHandlingMode.lowercased() != "fail" {
            notes.append(
                "event.processing.failure.handling.mode has no effect: a change that cannot be decoded stops the connector, since nothing is left out in silence"
            )
        }
        if !self.tableIgnoreBuiltin { notes.append("table.ignore.builtin=false brings no system tables: PostgreSQL does not publish them") }
        return notes
    }

    /// `custom.metric.tags`: `name=value` by commas.
    var metricTags: [String: String] {
        let pairs = (self.customMetricTags ?? []).compactMap { tag -> (String, String)? in
            let parts = tag.split(separator: "=", maxSplits: 1).map { $0.trimmingSpaces() }
            return parts.count == 2 && !parts[0].isEmpty ? (parts[0], parts[1]) : nil
        }
        return Dictionary(pairs, uniquingKeysWith: { _, last in last })
    }

    var failsOnConversion: Bool { self.eventConvertingFailureHandlingMode.lowercased() == "fail" }

    enum SnapshotMode: String, Sendable {
        case always, initial
        case initialOnly = "initial_only"
        case noData = "no_data"
        case whenNeeded = "when_needed"
        case configurationBased = "configuration_based"
    }

    var mode: SnapshotMode {
        switch self.snapshotMode.lowercased() {
        case "never": .noData
        case "exported": .initial
        case let name: SnapshotMode(rawValue: name) ?? .initial
        }
    }

    /// Whether changes are streamed once the snapshot is done.
    var streams: Bool {
        switch mode {
        case .initialOnly: false
        case .configurationBased: self.snapshotModeConfigurationBasedStartStream
        default: true
        }
    }

    enum PublicationMode: String, Sendable {
        case allTables = "all_tables"
        case noTables = "no_tables"
        case disabled, filtered
    }
    var publicationMode: PublicationMode { PublicationMode(rawValue: self.publicationAutocreateMode.lowercased()) ?? .allTables }

    /// Whether the slot is moved forward as the log becomes durable.
    var flushesLSN: Bool { self.lsnFlushMode.map { $0.lowercased() != "manual" } ?? self.flushLsnSource }

    enum OffsetMismatch: String, Sendable {
        case noValidation = "no_validation"
        case trustOffset = "trust_offset"
        case trustSlot = "trust_slot"
        case trustGreaterLSN = "trust_greater_lsn"
    }
    var offsetMismatch: OffsetMismatch {
        self.internalSlotSeekToKnownOffsetOnStart ? .trustOffset : OffsetMismatch(rawValue: self.offsetMismatchStrategy.lowercased()) ?? .noValidation
    }

    /// Connections a snapshot is read with: as many as asked for; else as many as there are cores, up to four.
    var snapshotThreads: Int { self.snapshotMaxThreadsGiven ?? min(4, max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

    /// Whether rows of `signal.data.collection` are signals.
    var readsSignalTable: Bool { self.signalDataCollection != nil && self.signalEnabledChannels.contains { $0.lowercased() == "source" } }

    /// The channel `file`, if it is on.
    func signalFileChannel(_ log: Logger) -> FileSignals? {
        guard self.signalEnabledChannels.contains(where: { $0.lowercased() == "file" }) else { return nil }
        return FileSignals(path: self.signalFile, interval: .milliseconds(max(1, self.signalPollIntervalMilliseconds)), log: log)
    }

    var valueConversion: ValueConversion {
        var conversion = ValueConversion()
        conversion.decimal = .init(rawValue: self.decimalHandlingMode.lowercased()) ?? .precise
        conversion.time = .init(rawValue: self.timePrecisionMode.lowercased()) ?? .adaptive
        conversion.hstore = .init(rawValue: self.hstoreHandlingMode.lowercased()) ?? .json
        conversion.interval = .init(rawValue: self.intervalHandlingMode.lowercased()) ?? .numeric
        conversion.binary = .init(rawValue: self.binaryHandlingMode.lowercased()) ?? .bytes
        conversion.moneyFractionDigits = self.moneyFractionDigits
        conversion.includesUnknownTypes = self.includeUnknownDatatypes
        conversion.unavailablePlaceholder = self.unavailableValuePlaceholder
        conversion.schemaNames = .init(rawValue: self.schemaNameAdjustmentMode.lowercased()) ?? .none
        conversion.fieldNames = self.sanitizeFieldNames ? .avro : .init(rawValue: self.fieldNameAdjustmentMode.lowercased()) ?? .none
        conversion.tombstonesOnDelete = self.tombstonesOnDelete
        return conversion
    }

    var sourceIdentity: SourceIdentity {
        var identity = SourceIdentity(name: self.topicPrefix ?? "", database: self.databaseDbname ?? "")
        identity.writesContextHeaders = self.extendedHeadersEnabled
        return identity
    }

    /// The name of a topic: parts joined by the delimiter, with every character Kafka does not take replaced by an underscore.
    func topic(_ parts: String...) -> String {
        let name = parts.joined(separator: self.topicDelimiter)
        return String(decoding: name.unicodeScalars.flatMap { Self.isTopicCharacter($0) ? Array(String($0).utf8) : Self.replacement($0) }, as: UTF8.self)
    }

    private static func isTopicCharacter(_ c: Unicode.Scalar) -> Bool {
        switch c {
        case "a"..."z", "A"..."Z", "0"..."9", ".", "_", "-": true;
        default: false
        }
    }
    /// One underscore for each UTF-16 unit, as Java counts characters.
    private static func replacement(_ c: Unicode.Scalar) -> [UInt8] { Array(repeating: UInt8(ascii: "_"), count: UTF16.width(c)) }
}

extension Check {
    /// Debezium's wording for a value outside an enumeration; matching ignores case. `also` are older values still taken.
    static func oneOfDebezium(_ values: [String], also: [String] = []) -> Check {
        Check(recommended: values) { text in
            (values + also).contains { $0.lowercased() == text.lowercased() } ? nil : "Value must be one of \(values.joined(separator: ", "))"
        }
    }
    static let positive = Check { Int64($0).map { $0 <= 0 } == true ? "A positive, non-zero integer value is expected" : nil }
    static let notNegative = Check { Int64($0).map { $0 < 0 } == true ? "A non-negative integer is expected" : nil }
    static let topicPrefix = Check { text in
        if text.isEmpty { return "A value is required" }
        let allowed = text.unicodeScalars.allSatisfy { c in
            switch c {
            case "a"..."z", "A"..."Z", "0"..."9", ".", "_", "-": true;
            default: false
            }
        }
        return allowed ? nil : "\(text) has invalid format (only the underscore, hyphen, dot and alphanumeric characters are allowed)"
    }
    static let slotName = Check { text in
        let allowed = text.unicodeScalars.allSatisfy { c in
            switch c {
            case "a"..."z", "0"..."9", "_": true;
            default: false
            }
        }
        return allowed && (1...63).contains(text.count)
            ? nil : "Valid replication slot name must contain only digits, lowercase characters and underscores with length <= 63"
    }
}
