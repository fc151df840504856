import ConnectAPI

/// `io.debezium.transforms.ExtractNewRecordState`: the row instead of Debezium's envelope.
///
///     envelope {before, after, source, …, op}     deletes             tombstones
///          │ after: the columns themselves           │ drop, null,        │ kept or dropped
///          ▼                                         ▼ rewrite, tombstone ▼
///     row {columns of the table…, __deleted, __op, …}, required, named `<topic>.Value`
///
/// Nothing is computed per value: members of the struct column become the members of the new one. The one thing that cuts a batch is the mode
/// `tombstone`, where a delete's null has the optional schema of `after` and other rows have a required one.
struct ExtractNewRecordState: Transform {
    static let className = "io.debezium.transforms.ExtractNewRecordState"

    private enum DeleteMode { case drop, null, rewrite, tombstone }
    private let deleteMode: DeleteMode
    private let keepsTombstones: Bool
    private let routeField: String?
    private let addedFields: [FieldReference]
    private let addedHeaders: [FieldReference]
    private let replacesNulls: Bool
    private let dropping: DroppedFields?
    private let schemas = SchemaCache()

    init(_ configuration: Configuration) throws {
        switch configuration.mode {
        case "drop": (deleteMode, keepsTombstones) = (.drop, false)
        case "rewrite": (deleteMode, keepsTombstones) = (.rewrite, false)
        case "rewrite-with-tombstone": (deleteMode, keepsTombstones) = (.rewrite, true)
        case "delete-to-tombstone": (deleteMode, keepsTombstones) = (.tombstone, false)
        case "none": (deleteMode, keepsTombstones) = (.null, configuration.legacyDropTombstones == false)
        default: (deleteMode, keepsTombstones) = (.null, false)
        }
        routeField = configuration.routeByField.isEmpty ? nil : configuration.routeByField
        addedFields = try configuration.addFields.map { try FieldReference($0, prefix: configuration.addFieldsPrefix) }
        addedHeaders = try configuration.addHeaders.map { try FieldReference($0, prefix: configuration.addHeadersPrefix) }
        replacesNulls = configuration.replacesNullWithDefault
        dropping = DroppedFields(
            header: configuration.dropFieldsHeader, fromKey: configuration.dropFieldsFromKey,
            keepsRequired: configuration.dropFieldsKeepSchemaCompatible)
    }

    /// What becomes of a row.
    private enum Fate { case row, deleted, null, deletedToTombstone, tombstone, dropped }

    func apply(_ input: TransformedBatch) throws -> [TransformedBatch] {
        let batch = input.batch
        guard let envelope = batch.value, Envelope.recognizes(envelope.schema) else {
            // Tombstones of a batch without any value, and records that are no envelopes.
            if batch.value != nil || keepsTombstones { return [batch.value == nil ? input.with(withTombstoneHeaders(batch)) : input] }
            return []
        }
        let fates = self.fates(batch, envelope)
        if fates.allSatisfy({ $0 == .row }) { return try finish(input, envelope, fates) }
        var out: [TransformedBatch] = [], start = 0
        // Runs that share a schema; dropped rows belong to any run.
        while start < fates.count {
            var rows: [Int] = [], nulls = false, end = start
            while end < fates.count {
                if fates[end] != .dropped {
                    if rows.isEmpty { nulls = fates[end] == .null } else if nulls != (fates[end] == .null) { break }
                    rows.append(end)
                }
                end += 1
            }
            if !rows.isEmpty {
                let part = input.select(rows)
                let value = rows.count == batch.count ? envelope : part.batch.value ?? envelope
                out += nulls ? try nulled(part, value) : try finish(part, value, rows.map { fates[$0] })
            }
            start = end
        }
        return out
    }

    private func fates(_ batch: RecordBatch, _ envelope: Column) -> [Fate] {
        let op = Envelope.Operations(envelope), after = envelope.child("after")?.validRows, values = envelope.validRows
        return (0..<batch.count).map { row in
            if batch.isTombstone(row) || values.map({ !$0[row] }) ?? false { return keepsTombstones ? .tombstone : .dropped }
            if op.isTruncate(row) { return .dropped }
            guard after.map({ !$0[row] }) ?? false else { return .row }
            return switch deleteMode {
            case .drop: .dropped
            case .null: .null
            case .rewrite: .deleted
            case .tombstone: .deletedToTombstone
            }
        }
    }

    /// A delete as a null that has the schema of `after`.
    private func nulled(_ part: TransformedBatch, _ envelope: Column) throws -> [TransformedBatch] {
        var batch = part.batch
        guard let after = envelope.child("after"), let before = envelope.child("before") else { return [part] }
        batch.headers += headers(envelope, batch, tombstones: nil)
        batch.value = .constant(.null, after.schema, count: batch.count)
        batch.tombstones = nil
        return try routed(part.with(batch), by: before)
    }

    /// Rows, rewritten deletes and tombstones of one schema.
    private func finish(_ part: TransformedBatch, _ envelope: Column, _ fates: [Fate]) throws -> [TransformedBatch] {
        guard let after = envelope.child("after"), let before = envelope.child("before") else { return [part] }
        var batch = part.batch
        let count = batch.count
        func bits(_ isSet: (Fate) -> Bool) -> Bitmap? { fates.contains(where: isSet) ? Bitmap(fates.lazy.map(isSet)) : nil }
        let tombstones = bits { $0 == .tombstone || $0 == .deletedToTombstone }
        let source = Self.merged(after, before, deleted: bits { $0 == .deleted })
        var members = source.children
        if replacesNulls { members = members.map { $0.replacingNullsWithDefault() } }
        var fields = source.schema.fields
        if deleteMode == .rewrite {
            fields.append(Schema.Field("__deleted", Envelope.deletedSchema))
            members.append(
                fates.contains(.deleted)
                    ? Column(Envelope.deletedSchema, fates.map { .string($0 == .deleted ? "true" : "false") })
                    : .constant("false", Envelope.deletedSchema, count: count))
        }
        for reference in addedFields {
            guard let column = reference.column(of: envelope) else { continue }
            let optional = column.with(
                schema: column.schema.isOptional ? column.schema : schemas(column.schema) { column.schema.with(optional: true) })
            fields.append(Schema.Field(reference.name, optional.schema))
            members.append(optional)
        }
        let schema = schemas(envelope.schema) {
            Schema.struct(fields, name: after.schema.name, version: after.schema.version, doc: after.schema.doc)
        }
        batch.headers += headers(envelope, batch, tombstones: bits { $0 == .tombstone })
        batch.value = Column(schema, count: count, .struct(members), validity: tombstones.map { !$0 })
        batch.tombstones = tombstones
        return try routed(part.with(batch), by: Self.merged(after, before, deleted: bits { $0 == .deleted || $0 == .deletedToTombstone }))
    }

    /// The rows after the change, or before it where they were deleted.
    private static func merged(_ after: Column, _ before: Column, deleted: Bitmap?) -> Column {
        guard let deleted else { return after }
        let both = Column.concatenating([after.with(schema: before.schema), before])
        return both.select((0..<after.count).map { deleted[$0] ? after.count + $0 : $0 })
    }

    /// The last steps: the topic a column names, and the fields a header names. A tombstone of the source names neither.
    private func routed(_ part: TransformedBatch, by row: Column) throws -> [TransformedBatch] {
        guard let routeField else { return try dropping?.apply(part) ?? [part] }
        guard let route = row.member(routeField) else {
            throw ConnectorError(
                "transform.unknown_field", .stop, "Unknown field: \(routeField)", hint: "route.by.field names a column of the table")
        }
        let routed = part.routed((0..<row.count).map { row in route[row].stringValue.flatMap { $0.trimmingSpaces().isEmpty ? nil : $0 } })
        return try routed.flatMap { try dropping?.apply($0) ?? [$0] }
    }

    /// The source's own tombstones say that they delete; other fields they do not have.
    private func headers(_ envelope: Column, _ batch: RecordBatch, tombstones: Bitmap?) -> [HeaderColumn] {
        addedHeaders.compactMap { reference in
            reference.column(of: envelope).map { column in
                guard let tombstones else { return HeaderColumn(reference.name, column) }
                guard reference.isOperation else { return HeaderColumn(reference.name, column, present: !tombstones) }
                return HeaderColumn(reference.name, Column(column.schema, (0..<batch.count).map { tombstones[$0] ? "d" : column[$0] }))
            }
        }
    }

    private func withTombstoneHeaders(_ batch: RecordBatch) -> RecordBatch {
        var batch = batch
        for reference in addedHeaders where reference.isOperation {
            batch.headers.append(HeaderColumn(reference.name, .constant("d", Schema(.string), count: batch.count)))
        }
        return batch
    }
}
