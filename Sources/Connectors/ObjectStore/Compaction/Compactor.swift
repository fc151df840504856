import ConnectAPI
import Parquet

/// One look at the files of a task's partitions, with the merges that come of it.
///
///     plan that was not carried out ─▶ carry it out
///     LIST of the topic ─▶ files of one directory and partition ─▶ runs of small ones ─▶ ask each what it holds ─▶ plan ─▶ merge ─▶ next
///
/// Only files that end below the offset the log has committed are touched: after a restart, names are looked for from there on, and a name that was
/// merged away would be taken for a record that is not stored.
struct Compactor: Sendable {
    let context: CompactionContext
    /// The lanes of the task, with what the log has committed of their partitions.
    let lanes: [Lane.Identity: Int64]
    let memory: CompactionMemory

    func run() async {
        var open: Set<Lane.Identity> = []
        for lane in lanes.keys {
            await reporting(lane.topic) {
                try await resume(lane)
                open.insert(lane)
            }
        }
        for topic in Set(open.map(\.topic)).sorted() {
            await reporting(topic) { try await walk(topic, open.filter { $0.topic == topic }) }
        }
    }

    /// Nothing of this may fail the task: what was not done is done next time.
    private func reporting(_ topic: String, _ body: () async throws -> Void) async {
        do { try await body() } catch {
            if Task.isCancelled || error is Overtaken { return }
            context.uploads.metrics.mergeFailed()
            context.uploads.log.warn("Small files of \(topic) could not be merged, which is tried again in \(context.policy.interval) ms: \(error)")
        }
    }

    /// Carries out what a killed task, or another one, has planned.
    private func resume(_ lane: Lane.Identity) async throws {
        guard let plan = try await CompactionPlans(lane: lane, context: context).last(), plan.number != memory.done(lane) else { return }
        try await Merge(plan: plan, context: context).run()
        memory.didCarryOut(plan.number, lane)
    }

    // MARK: Finding

    private struct Listed: Sendable {
        let entry: ObjectEntry
        let place: FileNaming.Place
        /// Old and small, and not merged as far as its name tells.
        let isCandidate: Bool
    }

    private func walk(_ topic: String, _ lanes: Set<Lane.Identity>) async throws {
        var group: [Listed] = [], next: String?
        repeat {
            // A store that walks for every page gives all in one.
            let page = try await context.store.page(context.naming.listingPrefix(topic), after: next, limit: .max)
            for entry in page.entries {
                guard let place = context.naming.place(entry.key, topic: topic) else { continue }
                if let last = group.last, last.place.directory != place.directory {
                    try await compact(group, lanes)
                    group = []
                }
                let listed = Listed(entry: entry, place: place, isCandidate: isOldAndSmall(entry) && !place.isMerged)
                // Of files that only end a run one after the other does, where names tell whose they are.
                if let last = group.last, !last.isCandidate, !listed.isCandidate, place.partition != nil, last.place.partition == place.partition { continue }
                // What is too much now is seen when this has become less.
                if group.count < CompactionPolicy.maxNames { group.append(listed) }
            }
            next = page.next
        } while next != nil
        try await compact(group, lanes)
    }

    private func isOldAndSmall(_ entry: ObjectEntry) -> Bool {
        // A listing without times gives no file an age.
        context.policy.isSmall(entry.size) && entry.size > 0 && entry.modified.map { context.clock() - $0 >= context.policy.minAge } ?? false
    }

    /// Merges what there is to merge of one directory.
    private func compact(_ group: [Listed], _ lanes: Set<Lane.Identity>) async throws {
        // No fewer make a target, since each is smaller than half of it.
        guard group.count(where: \.isCandidate) >= min(context.policy.minFiles, 3) else { return }
        for (lane, files) in try await files(group, lanes) {
            for run in CompactionRuns.worthAsking(files, context.policy) {
                let asked = try await context.each(run) { file in
                    var file = file
                    file.details = try await details(file, lane)
                    return file
                }
                for merge in CompactionRuns.merges(asked, committed: self.lanes[lane] ?? .min, context.policy) { try await carryOut(merge, lane) }
            }
        }
    }

    /// The files of each lane in the order of their offsets.
    private func files(_ group: [Listed], _ lanes: Set<Lane.Identity>) async throws -> [Lane.Identity: [CompactionFile]] {
        typealias Found = (isOf: @Sendable (Lane.Identity) -> Bool, start: Int64, isMerged: Bool)
        let found: [Found?]
        if context.naming.template == nil {
            found = group.map { listed in
                guard let partition = listed.place.partition, let start = listed.place.start else { return nil }
                return ({ $0.partition.partition == partition }, start, listed.place.isMerged)
            }
        } else {
            // Names do not tell: each is asked, also what ends a run.
            found = try await context.each(group) { listed in
                guard let metadata = try await context.store.head(listed.entry.key)?.metadata, let start = metadata["kafka-start"].flatMap({ Int64($0) }),
                    metadata["kafka-connector"].map({ PercentCoding.decode($0) }) == context.connector,
                    let source = metadata["kafka-source"].map({ PercentCoding.decode($0) })
                else { return nil }
                return ({ $0.partition.description == source }, start, metadata[mergedMetadataKey] != nil)
            }
        }
        var files: [Lane.Identity: [CompactionFile]] = [:]
        for lane in lanes {
            let committed = self.lanes[lane] ?? .min
            files[lane] = zip(group, found).compactMap { listed, found in
                guard let found, found.isOf(lane) else { return nil }
                return CompactionFile(
                    key: listed.entry.key, size: listed.entry.size, start: found.start,
                    isCandidate: listed.isCandidate && !found.isMerged && found.start < committed)
            }.sorted { ($0.start, $0.key) < ($1.start, $1.key) }
        }
        return files
    }

    /// What a file says of itself; nil: it is not one to be merged.
    private func details(_ file: CompactionFile, _ lane: Lane.Identity) async throws -> CompactionFile.Details? {
        var details: CompactionFile.Details
        switch context.join {
        case .parquet:
            guard let footer = try await context.store.footer(of: file.key, file.size), footer[mergedMetadataKey] == nil,
                let facts = FileFacts(Dictionary(footer.pairs.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })), footer.rows == facts.count
            else { return nil }
            do {
                var join = ParquetJoin(like: footer)
                _ = try join.add(footer)
            } catch {
                context.uploads.log.warn("\(file.key) in \(context.store.place) is not merged: \(error)")
                return nil
            }
            let layout = footer.layout + (footer["kafka-schema"] ?? "").utf8
            details = .init(facts: facts, layout: Digest.sha256(layout), footerBytes: footer.byteCount)
        case .bytes:
            guard case .file(let facts) = try await StoredFile.look(at: file.key, in: context.store) else { return nil }
            details = .init(facts: facts)
        }
        let facts = details.facts
        let isOurs = facts.connector == context.connector && facts.source.map { $0 == lane.partition.description } ?? true
        let source = CompactionPlan.Source(key: file.key, size: file.size, start: facts.start, end: facts.end, count: facts.count)
        return isOurs && facts.start == file.start && source.isSound ? details : nil
    }

    // MARK: Merging

    /// Another task was first. It was helped; what it has merged is seen by the next look.
    private struct Overtaken: Error {}

    private func carryOut(_ files: [CompactionFile], _ lane: Lane.Identity) async throws {
        try Task.checkCancellation()
        let facts = files.compactMap(\.details?.facts)
        guard let first = facts.first, let last = facts.last, facts.count == files.count else { return }
        let plans = CompactionPlans(lane: lane, context: context), id = CompactionPlan.drawID()
        // The one before was carried out: by this task, or when it began.
        let number = (memory.done(lane) ?? -1) + 1
        let plan = CompactionPlan(
            number: number, id: id, connector: context.connector, source: lane.partition.description, startTimestamp: first.startTimestamp,
            target: context.naming.mergedName(files[0].key, end: last.end, id: id),
            sources: zip(files, facts).map { .init(key: $0.key, size: $0.size, start: $1.start, end: $1.end, count: $1.count) })
        try await proveDeletion()
        let there = try await plans.add(plan)
        try await Merge(plan: there, context: context).run()
        memory.didCarryOut(number, lane)
        if there.id != id { throw Overtaken() }
    }

    /// Without the permission to delete, rows would be seen twice for good: it is tried before the first merge.
    private func proveDeletion() async throws {
        if memory.mayDelete { return }
        let key = context.naming.probeName
        _ = try await context.store.put(key, [], ObjectAttributes(), ifAbsent: false)
        try await context.store.delete(key)
        memory.proved()
    }
}
