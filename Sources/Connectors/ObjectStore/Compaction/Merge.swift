import ConnectAPI

/// Carries out a plan, from wherever another attempt stopped:
///
///     merged file is there?  ─no─▶ every source is there? ─yes─▶ write it, only where there is none ─┐
///            └──────────yes──────────────────┐   └─no─▶ look again; the plan is stale                │
///                                            ▼                                                       ▼
///                                    delete the sources, each after a look at it
///
/// A source is deleted only after the merged file was seen, and the plan names its sources one by one: no row is lost, whoever does this at once and
/// wherever he is killed. Rows are seen twice from the file's creation to the last deletion. A file that is not what the plan says is left alone.
struct Merge: Sendable {
    let plan: CompactionPlan
    let context: CompactionContext

    private var store: any ObjectStore { context.store }

    /// False: the plan was stale, and nothing of it came to be.
    @discardableResult
    func run() async throws -> Bool {
        if try await !isWritten() {
            guard try await hasSources(), case var file = MergedFile(plan, context), let bytes = try await file.write() else {
                // Another task may have written the file, and deleted its sources.
                guard try await isWritten() else { return false }
                try await deleteSources()
                return true
            }
            guard try await isWritten() else {
                throw ConnectorError("objectstore.conflict", .retry, "\(plan.target) in \(store.place) was stored and is not there")
            }
            if let tags = context.uploads.tags {
                do { try await store.tag(plan.target, tags.tags(plan.facts)) } catch  where !tags.isRequired && !Task.isCancelled {
                    context.uploads.metrics.notTagged()
                    context.uploads.log.warn("\(plan.target) is stored and could not be tagged: \(error)")
                }
            }
            context.uploads.metrics.merged(files: plan.sources.count, bytes: bytes)
        }
        try await deleteSources()
        return true
    }

    private func isWritten() async throws -> Bool { try await store.head(plan.target)?.metadata[mergedMetadataKey] == plan.id }

    private func hasSources() async throws -> Bool {
        try await context.each(plan.sources) { source in try await store.head(source.key).map { isSame($0, source) } ?? false }.allSatisfy { $0 }
    }

    /// Also when this task is cancelled: what was begun is ended by a stop, not only by the next run. A store that is away ends it with the first failure.
    private func deleteSources() async throws { try await Task { try await deleteEach() }.value }

    private func deleteEach() async throws {
        _ = try await context.each(plan.sources) { source in
            guard let object = try await store.head(source.key) else { return }
            guard isSame(object, source) else {
                return context.uploads.log.warn("\(source.key) in \(store.place) was replaced since it was merged into \(plan.target), and stays")
            }
            // First what only the source names.
            if case .object(let name) = FactsPlace(object.metadata) { try await store.delete(name) }
            try await store.delete(source.key)
        }
    }

    private func isSame(_ object: ObjectInfo, _ source: CompactionPlan.Source) -> Bool {
        // A streamed file's metadata does not know its end.
        object.size == source.size && object.metadata["kafka-start"] == String(source.start)
            && object.metadata["kafka-end"].map { $0 == String(source.end) } ?? true
    }
}

extension CompactionContext {
    /// Does something for each, a few at a time; the results are in order.
    func each<T: Sendable, R: Sendable>(_ items: [T], _ body: @escaping @Sendable (T) async throws -> R) async throws -> [R] {
        try await withThrowingTaskGroup(of: (Int, R).self) { group in
            var results: [R?] = Array(repeating: nil, count: items.count), next = items.indices.makeIterator()
            // The store's threads are also those of the writing.
            for _ in 0..<4 { if let i = next.next() { group.addTask { (i, try await body(items[i])) } } }
            while let (i, result) = try await group.next() {
                results[i] = result
                if let i = next.next() { group.addTask { (i, try await body(items[i])) } }
            }
            return results.map { $0! }
        }
    }
}
