import ConnectAPI

/// Before rows are taken: which directory each belongs to, and what an earlier run stored of it.
extension PartitionWriter {
    /// Rows with their directories, without those that cannot be written.
    func place(_ consumed: ConsumedBatch, _ lane: Lane, _ now: Int64) throws -> (PlacedBatch, [(offset: Int64, error: ConnectorError)]) {
        let keepsNulls = context.plan.tombstoneDirectory != nil || context.plan.output?.keepsNullValues == true
        let behavior: NullValues = keepsNulls ? .ignore : context.plan.nulls
        var (value, nulls) = try Payload.values(consumed.batch, path: context.plan.payloadPath, nulls: behavior, knownSchema: lane.lastValueSchema)
        if nulls?.noneSet == true { nulls = nil }
        if let schemas = context.schemas { value = value.map { schemas.shaped($0, topic: lane.identity.topic) } }
        let assigned = lane.partitioner.assign(consumed, value: value, nulls: nulls, now: now)
        var nameTimes: TimestampColumn?
        if case .recordField = context.plan.naming.times {
            nameTimes = context.plan.naming.times.times(consumed, value: value, nulls: nulls, now: now).0
        }
        if context.plan.schemaless == .text { value = try value.map(JSONTexts.column) }
        if let output = context.plan.output {
            let whole = value
            value = try lane.compose(output, consumed, value, nulls)
            if output.keepsNullValues { nulls = nil } else if output.fields != [.value] { nulls = value?.validRows.map { !$0 } }
            if let whole { lane.lastValueSchema = whole.schema }
        } else if let value {
            lane.lastValueSchema = value.schema
        }
        if !context.plan.droppedFields.isEmpty { value = value.map { lane.dropping(context.plan.droppedFields, from: $0) } }
        var placed = PlacedBatch(
            batch: consumed, value: value, nulls: nulls, keys: context.plan.formats.storesKeys ? consumed.batch.key : nil,
            headers: context.plan.formats.storesHeaders ? HeaderRows.column(consumed.batch) : nil, directories: assigned.rows, times: assigned.times,
            nameTimes: nameTimes)
        var rejects = assigned.rejects.map { (row: $0.row, error: $0.error) }
        if let nulls, let tombstones = context.plan.tombstoneDirectory {
            let number = lane.partitioner.intern(tombstones)
            placed.directories = .each((0..<placed.count).map { nulls[$0] ? number : assigned.rows[$0] })
            rejects.removeAll { nulls[$0.row] }
        }
        if context.plan.formats.storesKeys { rejects += missingKeys(consumed, except: Set(rejects.map(\.row))) }
        if nulls == nil, rejects.isEmpty { return (placed, []) }
        let reportsNulls = context.plan.nulls == .fail || context.plan.nulls == .ignore && context.plan.reportsNulls
        if let nulls, reportsNulls {
            let placeable = Set(rejects.map(\.row))
            rejects += nulls.setPositions.filter { !placeable.contains($0) }.map { ($0, Payload.nullError(partition, consumed.offsets[$0])) }
        }
        rejects.sort { $0.row < $1.row }
        let refused = Set(rejects.map(\.row))
        // An ignored null record may have no directory: its fields would have told it.
        let kept = (0..<placed.count).filter { !refused.contains($0) && placed.directories[$0] != Partitioner.Rows.rejected }
        context.uploads.metrics.ignored(records: context.plan.nulls == .ignore && !reportsNulls ? nulls?.setCount ?? 0 : 0)
        let offsets = rejects.map { (offset: consumed.offsets[$0.row], error: $0.error) }
        return (kept.count == placed.count ? placed : placed.select(kept), offsets)
    }

    /// A file of keys has one for every record.
    private func missingKeys(_ consumed: ConsumedBatch, except known: Set<Int>) -> [(row: Int, error: ConnectorError)] {
        let missing = consumed.batch.key.map { key in (0..<key.count).filter { key.isNull($0) } } ?? Array(0..<consumed.batch.count)
        return missing.filter { !known.contains($0) }.map { row in
            (
                row,
                ConnectorError(
                    "objectstore.null_key", .reject, "Key cannot be null for SinkRecord: \(partition) at offset \(consumed.offsets[row])",
                    hint: "Set store.kafka.keys to false, or give every record a key")
            )
        }
    }

    /// Learns what an earlier run stored of the directories that are new in this batch.
    func probe(_ placed: PlacedBatch, _ lane: Lane) async throws {
        guard !context.plan.keepsLedger, context.uploads.conditional, context.plan.naming.isMetAgain, placed.count > 0, hasUnknownDirectory(placed, lane) else {
            return
        }
        var questions: [StoredFiles.Question] = [], times: [Int32: Int64] = [:]
        for (directory, rows) in placed.grouped(0..<placed.count) where !lane.probed.contains(directory) {
            let stored = lane.storedUpTo[directory] ?? .min
            let open = (rows ?? Array(0..<placed.count)).filter { placed.batch.offsets[$0] > stored }
            if open.isEmpty { continue }
            if lane.closed != nil { times[directory] = placed.times?[open[0]] }
            questions.append(
                .init(
                    directory: directory, name: lane.name(directory),
                    rows: open.map { (placed.batch.offsets[$0], placed.timestamp($0), placed.nameTime($0)) }))
        }
        if questions.isEmpty { return }
        let stored = StoredFiles(lane: lane.identity, connector: context.connector, store: context.uploads.store, naming: context.uploads.naming)
        for answer in try await stored.ask(questions) {
            for range in answer.found {
                cut.found(start: range.lowerBound, end: range.upperBound)
                lane.storedUpTo[answer.directory] = range.upperBound
            }
            if answer.complete { lane.probed.insert(answer.directory) }
            if !answer.found.isEmpty, let time = times[answer.directory], let stretch = lane.partitioner.stretch(at: time) {
                lane.closed?.wait(answer.directory, end: stretch.end)
            }
        }
    }

    /// Drops the rows that the ledger says are stored.
    func dropStored(_ placed: PlacedBatch, _ ledger: Ledger) throws -> PlacedBatch {
        let next = ledger.next
        guard placed.count > 0, placed.batch.offsets[0] < next else { return placed }
        var kept: [Int] = []
        for row in 0..<placed.count {
            let offset = placed.batch.offsets[row]
            if offset >= next { kept.append(row) } else { try ledger.check(offset, placed.timestamp(row)) }
        }
        context.uploads.metrics.skipped(records: placed.count - kept.count)
        return placed.select(kept)
    }

    private func hasUnknownDirectory(_ placed: PlacedBatch, _ lane: Lane) -> Bool {
        switch placed.directories {
        case .all(let directory): return !lane.probed.contains(directory)
        case .each(let each):
            var last: Int32 = -2
            for directory in each where directory != last {
                if !lane.probed.contains(directory) { return true }
                last = directory
            }
            return false
        }
    }
}
