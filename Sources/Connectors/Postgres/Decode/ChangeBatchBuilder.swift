import ConnectAPI

/// Turns the row changes of one table into a record batch, in two passes.
///
///     pgoutput message ──append──▶ TupleStore (bytes once, a cell a value)    rows: before, after, key tuple, op, lsn, xid, times
///                                        │ finish
///                                        ▼
///     column by column, the type switch outside the row loop ─▶ before │ after │ key
///                                        ▼
///     RecordBatch { key, Envelope { before, after, source, transaction, op, ts_ms, ts_us, ts_ns }, tombstones, headers }
///
/// A row here is a record: an insert makes one, a delete two (with its tombstone), an update that moves the key three. Order is kept
/// (Invariant 3): rows stand in the batch as the changes were appended, whatever the batch is cut into.
struct ChangeBatchBuilder {
    let schema: TableSchema
    private var store: TupleStore
    private var rows = EnvelopeRows()
    /// Values that could not be converted since the builder was made; they became null (`event.converting.failure.handling.mode=warn`).
    private(set) var conversionFailures = 0

    init(_ schema: TableSchema) {
        self.schema = schema
        store = TupleStore(width: schema.definition.columns.count)
    }

    var rowCount: Int { rows.count }
    var isEmpty: Bool { rows.count == 0 }
    /// Bytes held until `finish`.
    var byteCount: Int { store.byteCount + rows.byteCount }

    /// Adds a change; `message` is the whole pgoutput message it was parsed from. Returns how many events it is in a transaction's count: a
    /// moved key is two, a tombstone none.
    ///
    /// Throws `postgres.malformed_message`; the builder is then as it was before.
    @discardableResult
    mutating func append(
        _ change: RowChange, in message: UnsafeRawBufferPointer, _ info: ChangeInfo, _ part: ChangePart = .whole
    ) throws -> Int {
        let base = try store.store(message)
        do throws(MalformedMessage) {
            let old = change.oldTuple >= 0 ? try store.appendTuple(of: message, at: change.oldTuple, storedAt: base) : 0
            guard change.kind != .delete, part != .delete else { return delete(old, info) }
            let new = try store.appendTuple(of: message, at: change.newTuple, storedAt: base)
            if change.kind == .insert || part == .create {
                if old != 0 { store.resolveUnavailable(of: new, from: old) }
                rows.append(before: 0, after: new, key: new, .create, info)
                return 1
            }
            return update(old, new, info)
        } catch {
            let table = "\(schema.definition.schema).\(schema.definition.name)"
            throw error.located(in: "change of \(table) at LSN \(info.lsn) (its tuple must have \(store.width) columns)")
        }
    }

    private mutating func delete(_ old: Int32, _ info: ChangeInfo) -> Int {
        rows.append(before: old, after: 0, key: old, .delete, info)
        if schema.conversion.tombstonesOnDelete { rows.append(before: 0, after: 0, key: old, .tombstone, info) }
        return 1
    }

    private mutating func update(_ old: Int32, _ new: Int32, _ info: ChangeInfo) -> Int {
        guard old != 0 else {
            rows.append(before: 0, after: new, key: new, .update, info)
            return 1
        }
        store.resolveUnavailable(of: new, from: old)
        let moved = schema.keyColumns.contains { !store.equal(old, new, column: schema.columns[$0].position) }
        guard moved else {
            rows.append(before: old, after: new, key: new, .update, info)
            return 1
        }
        // A moved key is a delete of the old one and a create of the new one; headers lead from each to the other.
        rows.append(before: old, after: 0, key: old, .delete, info, newKey: new)
        if schema.conversion.tombstonesOnDelete { rows.append(before: 0, after: 0, key: old, .tombstone, info, newKey: new) }
        var second = info
        if info.totalOrder != 0 {
            second.totalOrder += 1
            second.collectionOrder += 1
        }
        rows.append(before: 0, after: new, key: new, .create, second, oldKey: old)
        return 2
    }

    /// Adds a truncation of the table: a record without key.
    mutating func appendTruncate(_ info: ChangeInfo) { rows.append(before: 0, after: 0, key: 0, .truncate, info) }

    /// The batches of what was appended, in order, and an empty builder. There is one batch unless the table was truncated: records without
    /// a key schema cannot share a batch with keyed ones.
    mutating func finish() -> [RecordBatch] {
        guard rows.count > 0 else { return [] }
        let assembler = EnvelopeAssembler(schema: schema, store: store, origin: .stream, rows: rows)
        let (batch, failures) = assembler.batch()
        conversionFailures += failures
        let runs = schema.key == nil ? [0..<rows.count] : rows.runs
        let batches = runs.map { range in
            var part = batch.slice(range)
            if rows.all[range.lowerBound].op == .truncate { part.key = nil }
            return part
        }
        store.removeAll()
        rows.removeAll()
        return batches
    }
}
