import ConnectAPI

/// The files of a lane that are cut together and become part of the store by one entry of the ledger: a task of its own, from the cut on.
final class FileSet: Sendable {
    private let task: Task<Bool, Never>

    /// `next` is the offset after the last record of the files; `id` is in their metadata.
    init(_ id: String, _ uploads: [FileUpload], next: Int64, after predecessor: FileSet?, _ ledger: Ledger, _ context: UploadContext) {
        task = Task {
            var sealed: [Member] = [], failed: [FileUpload] = [], isSent = false
            for upload in uploads {
                if case .sealed(let member) = await upload.outcome { sealed.append(member) } else { failed.append(upload) }
            }
            do {
                // What failed says so itself; the others do not go without it.
                guard failed.isEmpty, let first = sealed.min(by: { $0.facts.start < $1.facts.start }) else { throw CancellationError() }
                let retry = Retry(file: first.file, context: context), objects = sealed.flatMap(\.objects)
                let taken = try await retry { try await ledger.taken(objects) }
                guard await predecessor?.isStored ?? true else { throw CancellationError() }
                try Task.checkCancellation()
                isSent = true
                let entry = try await retry {
                    try await ledger.commit(
                        id, first: .init(offset: first.facts.start, timestamp: first.facts.startTimestamp), next: next, objects, taken: taken)
                }
                try await Self.show(sealed, of: entry, ledger, context)
                return true
            } catch {
                // Once an entry was sent, it may be there: its uploads are dropped only when it is known that another's is.
                if !isSent || Ledger.isRefusal(error) {
                    let objects = sealed.flatMap(\.objects)
                    // Also when this task is cancelled: the store must not keep parts nobody will use.
                    await Task { for object in objects { await context.store.abort(object.upload) } }.value
                }
                for member in sealed { context.progress.ended(member.file.number, .failed(Task.isCancelled ? CancellationError() : error)) }
                return false
            }
        }
    }

    /// A file with what is beside it, sealed.
    struct Member: Sendable {
        let file: FileIdentity
        let facts: FileFacts
        let objects: [SealedFile]
        let bytes: Int
        let started: ContinuousClock.Instant
    }

    private static func show(_ members: [Member], of entry: LedgerEntry, _ ledger: Ledger, _ context: UploadContext) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for member in members {
                group.addTask {
                    let retry = Retry(file: member.file, context: context)
                    for file in member.objects { try await retry { try await ledger.show(file, of: entry) } }
                }
            }
            try await group.waitForAll()
        }
        for member in members {
            try await FileTransfer.tag(member.file, member.facts, member.objects[0].upload.key, context)
            context.metrics.uploaded(bytes: member.bytes, took: member.started.duration(to: .now))
            context.progress.ended(member.file.number, .stored(member.facts))
        }
    }

    /// Waits until it is stored, or given up.
    var isStored: Bool { get async { await task.value } }
    func cancel() { task.cancel() }
}
