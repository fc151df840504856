import ConnectAPI

/// `snowflake.table.layout`.
enum TableLayout: String, Sendable, CaseIterable {
    /// DATA VARIANT, INGESTED_AT TIMESTAMP_NTZ.
    case seed
    /// RECORD_METADATA VARIANT, RECORD_CONTENT VARIANT: Snowflake's connector.
    case kafka
    /// A column a field: Snowflake's connector with schematization.
    case columns
}

/// Makes rows of a table from records.
///
///     ConsumedBatch ─▶ payload.path ─▶ nulls ─▶ layout ─▶ struct column: a member a table column
struct RowLayout: Sendable {
    var layout: TableLayout
    var metadata = RecordMetadata()
    /// Seed layout: topic, partition and offset as columns of their own.
    var addsPosition = false
    var payloadPath: [String] = []
    /// `behavior.on.null.values`: leave records without a value out.
    var ignoresNulls = false
    /// The largest JSON text a VARIANT takes.
    var maximumVariantBytes = 16 << 20
    var values = VendorValues()

    /// The batch without records that have no value, when they are to be ignored, and how many there were.
    func kept(_ consumed: ConsumedBatch) throws -> (batch: ConsumedBatch, ignored: Int) {
        guard ignoresNulls else { return (consumed, 0) }
        let nulls = try payload(consumed.batch).nulls
        let rows = (0..<consumed.batch.count).filter { nulls?[$0] != true }
        if rows.count == consumed.batch.count { return (consumed, 0) }
        let kept = ConsumedBatch(
            consumed.batch.select(rows), from: consumed.partition, offsets: .each(rows.map { consumed.offsets[$0] }), nextOffset: consumed.nextOffset)
        return (kept, consumed.batch.count - rows.count)
    }

    func rows(_ consumed: ConsumedBatch, now: Int64) throws -> TableRows {
        let batch = consumed.batch, count = batch.count
        let (value, nulls) = try payload(batch)
        var rejected: [Int: ConnectorError] = [:]
        func variant(_ texts: VarBytes) -> Column { Column(TableColumn.jsonSchema, count: count, .utf8(texts)) }
        func content() -> Column { variant(values.texts(value, count: count, nulls: nulls, otherwise: "{}", rejected: &rejected)) }
        func recordMetadata() -> Column { variant(metadata.texts(consumed, now: now, rejected: &rejected)) }

        var columns: [TableColumn], members: [Column]
        switch layout {
        case .seed:
            columns = [.variant("DATA"), TableColumn(name: "INGESTED_AT", type: "TIMESTAMP_NTZ", content: .plain)]
            members = [content(), Self.micros(batch.timestamps)]
            if addsPosition {
                let offsets = (0..<count).map { consumed.offsets[$0] }
                columns += [
                    TableColumn(name: "_TOPIC", type: "VARCHAR", content: .plain), TableColumn(name: "_PARTITION", type: "INT", content: .plain),
                    TableColumn(name: "_OFFSET", type: "BIGINT", content: .plain),
                ]
                members += [
                    .constant(.string(consumed.partition.topic), Schema(.string), count: count),
                    .constant(.integer(Int64(consumed.partition.partition)), Schema(.int32), count: count),
                    Column(Schema(.int64), count: count, .int64(offsets)),
                ]
            }
        case .kafka:
            columns = [.variant("RECORD_CONTENT")]
            members = [content()]
            if metadata.isIncluded {
                columns.append(.variant("RECORD_METADATA"))
                members.append(recordMetadata())
            }
        case .columns:
            (columns, members) = try ColumnMapping(values: values).columns(value, nulls: nulls, count: count, topic: batch.topic, rejected: &rejected)
            if metadata.isIncluded {
                columns.append(.variant("RECORD_METADATA"))
                members.append(recordMetadata())
            }
        }
        for (column, member) in zip(columns, members) where column.content != .plain {
            guard case .utf8(let texts) = member.storage, texts.bytes.count > maximumVariantBytes else { continue }
            for row in 0..<count where texts.range(row).count > maximumVariantBytes {
                rejected[row] = ConnectorError(
                    "snowflake.too_large", .reject,
                    "The record of \(consumed.partition) at offset \(consumed.offsets[row]) is \(texts.range(row).count) bytes of JSON for \(column.name), and a VARIANT takes \(maximumVariantBytes)",
                    hint: "Leave large fields out (ReplaceField), or raise snowflake.variant.max.bytes where the account takes more")
            }
        }
        let fields = zip(columns, members).map { Schema.Field($0.name, $1.schema) }
        return TableRows(
            columns: columns, values: Column(.struct(fields), count: count, .struct(members)),
            rejected: rejected.sorted { $0.key < $1.key }.map { (row: $0.key, error: $0.value) })
    }

    /// What is written of the records, and which have nothing.
    private func payload(_ batch: RecordBatch) throws -> (value: Column?, nulls: Bitmap?) {
        guard var value = batch.value else { return (nil, Bitmap(repeating: true, count: batch.count)) }
        var nulls = batch.tombstones
        func merge(_ column: Column) { if let valid = column.validRows { nulls = nulls.map { $0 | !valid } ?? !valid } }
        merge(value)
        for name in payloadPath {
            guard value.schema.type == .struct, let child = value.child(name) else {
                throw ConnectorError(
                    "snowflake.payload_path", .stop, "The values of topic \(batch.topic) have no member '\(payloadPath.joined(separator: "."))'",
                    hint: "Remove payload.path when the records are flat already (ExtractNewRecordState), or correct it")
            }
            value = child
            merge(value)
        }
        if nulls?.noneSet == true { nulls = nil }
        return (value, nulls)
    }

    private static func micros(_ timestamps: Column) -> Column {
        let schema = Schema(.int64, name: LogicalName.microTimestamp)
        if case .constant(.integer(let ms)) = timestamps.storage { return .constant(.integer(ms * 1000), schema, count: timestamps.count) }
        guard case .int64(let ms) = timestamps.storage else { return .constant(0, schema, count: timestamps.count) }
        return Column(schema, count: timestamps.count, .int64(ms.map { $0 * 1000 }))
    }
}
