import ConnectAPI
import JavaRegex

/// `io.debezium.transforms.outbox.EventRouter`: rows of an outbox table become events of their aggregates.
///
///     envelope of the outbox table             drops deletes and tombstones; updates are invalid
///        │ after {id, aggregatetype, aggregateid, payload, …}
///        ▼
///     topic by aggregatetype · key aggregateid · value payload · header id · other columns where they are placed
///
/// Columns move as they are. Rows are grouped by what makes batches differ: the topic, the partition, and the schema where a payload is
/// expanded from JSON or the schema's version is a column. Within a topic partition rows keep their order (Invariant 3).
struct EventRouter: Transform {
    static let className = "io.debezium.transforms.outbox.EventRouter"

    private let configuration: Configuration
    private let pattern: JavaPattern
    private let replacement: JavaReplacement
    private let placements: [Placement]
    private let ignoresMissing: Bool
    private let json: ExpandedJSON?
    private let schemas = SchemaCache()
    private let log = Logger("io.debezium.transforms.outbox")

    init(_ configuration: Configuration) throws {
        self.configuration = configuration
        pattern = try JavaPattern(configuration.routeRegex)
        replacement = try JavaReplacement(configuration.routeReplacement, for: pattern)
        placements = (configuration.placements ?? []).compactMap { Placement($0) }
        ignoresMissing = configuration.missing.map { $0.lowercased() == "ignore" } ?? !configuration.failsOnMissing
        json =
            configuration.expandsJSON
            ? ExpandedJSON(
                keepsNulls: configuration.nulls.lowercased() == "optional_bytes",
                keepsEmptyArrays: configuration.emptyArrays.lowercased() == "optional_string") : nil
    }

    func apply(_ input: TransformedBatch) throws -> [TransformedBatch] {
        // Tombstones are dropped; heartbeats and the like pass.
        guard let value = input.batch.value else { return [] }
        guard Envelope.isNamed(value.schema) else { return [input] }
        let rows = try events(input.batch, value)
        guard !rows.isEmpty else { return [] }
        let part = input.select(rows)
        guard let envelope = part.batch.value, let row = envelope.child("after") else {
            throw ConnectorError("transform.unknown_field", .reject, "Unknown field: after")
        }
        guard row.schema.type == .struct, row.validRows?.allSet ?? true else {
            throw ConnectorError("transform.null", .reject, "Only Struct objects supported for [Read Outbox Event], found: null")
        }
        return try routed(part, envelope, row)
    }

    /// The rows that are events: neither tombstones nor deletes, nor updates where these are tolerated.
    private func events(_ batch: RecordBatch, _ envelope: Column) throws -> [Int] {
        let op = Envelope.Operations(envelope), valid = envelope.validRows
        var updates = 0
        let rows = (0..<batch.count).filter { row in
            if batch.isTombstone(row) || valid.map({ !$0[row] }) ?? false || op.isDelete(row) { return false }
            guard op.isUpdate(row) else { return true }
            updates += 1
            return false
        }
        guard updates > 0 else { return rows }
        // Invariant 6: say what is dropped.
        let message = "Unexpected update of a row of the outbox table of topic \(batch.topic)"
        switch configuration.updates.lowercased() {
        case "fatal": throw ConnectorError("transform.outbox_update", .reject, message, hint: "Rows of an outbox are inserted and deleted, never updated")
        case "error": log.error("\(message): \(updates) ignored")
        default: log.warn("\(message): \(updates) ignored")
        }
        return rows
    }

    /// Everything that is the same for all rows, then the cuts.
    private func routed(_ part: TransformedBatch, _ envelope: Column, _ row: Column) throws -> [TransformedBatch] {
        let routes = try required(configuration.routeField, of: row), payload = try required(configuration.payloadField, of: row)
        var out = part
        out.batch.key = try required(configuration.keyField, of: row)
        out.batch.timestamps = try timestamps(envelope, row)
        out.batch.headers.append(HeaderColumn("id", try required(configuration.idField, of: row)))
        var partitions: [Int32?] = [], members: [(name: String, column: Column)] = []
        for placement in placements {
            guard let column = try additional(placement.column, of: row) else { continue }
            switch placement.target {
            case .header: out.batch.headers.append(HeaderColumn(placement.alias, column))
            case .envelope: members.append((placement.alias, column))
            case .partition: partitions = try (0..<column.count).map { try Self.partition(column[$0], placement.column) }
            }
        }
        let versions = try configuration.versionField.map { try required($0, of: row) }
        let content = Content(payload: payload, members: members, versions: versions, rowSchema: row.schema)
        // The columns of the value travel with the rows through the cuts.
        out.batch.value = content.packed(count: part.batch.count)
        out.batch.tombstones = nil
        let topics = try (0..<part.batch.count).map { row -> String? in
            guard let route = routes[row].stringValue else {
                throw ConnectorError("transform.outbox_route", .reject, "The column \(configuration.routeField) of an outbox row holds no text to route by")
            }
            return route
        }
        return try out.routed(topics).flatMap { routed in
            let route = routed.batch.topic, topic = try pattern.matches(route) ? pattern.replace(route, with: replacement, all: false) : route
            return try finished(routed, route: route, content).flatMap { result -> [TransformedBatch] in
                var result = result
                result.batch.topic = topic
                return partitions.isEmpty ? [result] : result.placed(Self.positions(of: result, in: part).map { partitions[$0] })
            }
        }
    }

    /// Rows of one topic, with the values they end up with.
    private func finished(_ part: TransformedBatch, route: String, _ content: Content) throws -> [TransformedBatch] {
        guard let packed = part.batch.value else { return [] }
        let expanded = json.map { expand(packed.child(at: 0), $0, topic: route) }
        return part.runs { row in Mark(schema: expanded?[row]?.schema, version: content.version(of: packed, row)) }.map { run in
            guard let packed = run.part.batch.value else { return run.part }
            var payload = packed.child(at: 0)
            if let schema = run.mark.schema, let expanded {
                let first = Self.positions(of: run.part, in: part).first ?? 0
                payload = Column(schema, (first..<first + packed.count).map { expanded[$0]?.value ?? .null })
            }
            var out = run.part
            let empty = configuration.makesTombstones ? payload.blankRows : nil
            out.batch.value = value(payload, packed, content, route: route, version: run.mark.version)
            out.batch.tombstones = empty.flatMap { $0.noneSet ? nil : $0 }
            if let empty, empty.allSet { out.batch.value = nil }
            return out
        }
    }

    private struct Mark: Equatable {
        let schema: Schema?
        let version: Int?
    }

    /// The payload alone, or a struct of it and the columns placed beside it.
    private func value(_ payload: Column, _ packed: Column, _ content: Content, route: String, version: Int?) -> Column {
        guard !content.members.isEmpty else { return payload }
        let columns = [payload] + content.members.indices.map { packed.child(at: $0 + 1) }
        let fields = zip(["payload"] + content.members.map(\.name), columns).map { Schema.Field($0, $1.schema) }
        let name = Self.schemaName(content.rowSchema, route)
        let schema = Schema.struct(fields, name: name, version: version)
        return Column(schemas(schema, topic: route) { schema }, count: payload.count, .struct(columns))
    }

    /// `prefix.schema.table.Value` under the route `order`: `prefix.schema.table.order.Value`.
    private static func schemaName(_ row: Schema, _ route: String) -> String {
        guard let name = row.name else { return route }
        guard let dot = name.lastIndex(of: ".") else { return "\(route).\(name)" }
        return "\(name[...dot])\(route)\(name[dot...])"
    }

    private func expand(_ payload: Column, _ json: ExpandedJSON, topic: String) -> [(schema: Schema, value: Value)?] {
        var failed = 0, reason = ""
        let rows = (0..<payload.count).map { row -> (schema: Schema, value: Value)? in
            let value = payload[row]
            if value.isNull { return nil }
            do throws(ExpandedJSON.Refusal) {
                guard case .string(let text) = value else { throw .init(reason: "it is no text") }
                return try json.expand(Array(text.utf8), name: configuration.payloadField)
            } catch {
                failed += 1
                reason = error.reason
                return nil
            }
        }
        if failed > 0 { log.warn("\(failed) payloads for \(topic) were not expanded and stay as they are, the last since \(reason)") }
        return rows
    }

    // MARK: Columns of the outbox table

    private func required(_ name: String, of row: Column) throws -> Column {
        guard let column = row.child(name) else { throw ConnectorError("transform.unknown_field", .reject, "Unable to find field \(name) in event") }
        return column.replacingNullsWithDefault()
    }

    private func additional(_ name: String, of row: Column) throws -> Column? {
        ignoresMissing && row.child(name) == nil ? nil : try required(name, of: row)
    }

    private func timestamps(_ envelope: Column, _ row: Column) throws -> Column {
        guard let processed = envelope.child("ts_ms") else { throw ConnectorError("transform.unknown_field", .reject, "Unable to find field ts_ms in event") }
        guard let name = configuration.timestampField else { return processed.with(schema: RecordBatch.timestampSchema).filled(from: processed) }
        let column = try required(name, of: row)
        let divisor: Int64
        switch column.schema.name {
        case LogicalName.timestamp: divisor = 1
        case LogicalName.microTimestamp: divisor = 1000
        case LogicalName.nanoTimestamp: divisor = 1_000_000
        default:
            throw ConnectorError(
                "transform.outbox_timestamp", .reject, "Unsupported field type \(column.schema.name ?? column.schema.type.rawValue) for event timestamp",
                hint: "table.field.event.timestamp names a column of type timestamp without time zone")
        }
        return Column(
            RecordBatch.timestampSchema, (0..<column.count).map { row in column[row].integerValue.map { .integer($0 / divisor) } ?? processed[row] })
    }

    private static func partition(_ value: Value, _ column: String) throws -> Int32? {
        if value.isNull { return nil }
        guard let number = value.integerValue.flatMap({ Int32(exactly: $0) }), number >= 0 else {
            throw ConnectorError("transform.outbox_partition", .reject, "The column \(column) holds no partition: a whole number from 0 on")
        }
        return number
    }

    /// Where rows of a part stand in the batch it was selected from.
    private static func positions(of part: TransformedBatch, in whole: TransformedBatch) -> [Int] {
        guard let mine = part.origins else { return Array(0..<part.batch.count) }
        guard let all = whole.origins else { return mine }
        var next = 0
        return mine.map { origin in
            while all[next] != origin { next += 1 }
            return next
        }
    }

    /// What the values are made of: payload, columns beside it, version; in one struct while rows are cut.
    private struct Content {
        let payload: Column
        let members: [(name: String, column: Column)]
        let versions: Column?
        let rowSchema: Schema

        func packed(count: Int) -> Column {
            let columns = [payload] + members.map(\.column) + (versions.map { [$0] } ?? [])
            return Column(
                .struct(columns.enumerated().map { Schema.Field(String($0), $1.schema) }), count: count, .struct(columns))
        }

        func version(of packed: Column, _ row: Int) -> Int? {
            versions == nil ? nil : packed.child(at: members.count + 1)[row].integerValue.map(Int.init)
        }
    }
}

extension Column {
    /// Null, or a text without anything but blanks.
    fileprivate var blankRows: Bitmap {
        Bitmap(
            (0..<count).lazy.map { row in
                if isNull(row) { return true }
                switch storage {
                case .utf8(let texts): return texts[row].allSatisfy { $0 <= 32 }
                case .constant(.string(let text)): return text.utf8.allSatisfy { $0 <= 32 }
                default: return false
                }
            })
    }

    /// Never null, as the timestamps of a batch are.
    fileprivate func filled(from column: Column) -> Column {
        guard let valid = validRows, !valid.allSet else { return with(validity: nil) }
        return Column(RecordBatch.timestampSchema, (0..<count).map { column[$0].isNull ? 0 : column[$0] })
    }
}
