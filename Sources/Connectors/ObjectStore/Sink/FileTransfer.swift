import ConnectAPI

/// The steps of storing one file.
struct FileTransfer {
    private let file: FileIdentity
    private let predecessor: FileUpload?
    private let context: UploadContext
    private let started = ContinuousClock.now
    private var upload: Upload?
    private var place = FactsPlace.metadata
    private var parts: [UploadedPart] = []
    private var sentBytes = 0
    private var partCount = 0
    /// What is known of a whole file before its upload begins.
    private var facts: FileFacts?
    /// Which of its possible names the file takes.
    private var choice = 0

    init(_ file: FileIdentity, after predecessor: FileUpload?, _ context: UploadContext) {
        self.file = file
        self.predecessor = predecessor
        self.context = context
    }

    private var names: [String] {
        context.naming.names(
            topic: file.topic, partition: file.partition.partition, directory: file.directory, start: file.start, time: file.nameTime,
            counter: file.number - 1, uuid: context.uuid(file.number))
    }

    /// `stop` ends the steps: no more are wanted.
    mutating func run(_ steps: AsyncStream<FileUpload.Step>, stop: @escaping @Sendable () -> Void) async -> FileUpload.Outcome {
        do {
            guard case .end(let facts, let rest, let companions)? = try await send(steps, stop: stop) else { throw CancellationError() }
            if file.set != nil { return .sealed(try await seal(facts, companions)) }
            if let predecessor, case .failed = await predecessor.outcome { throw CancellationError() }
            try Task.checkCancellation()
            try await publish(facts, rest, companions)
            try await Self.tag(file, facts, names[choice], context)
            context.metrics.uploaded(bytes: sentBytes + (upload == nil ? rest.count : 0), took: started.duration(to: .now))
            return .stored(facts)
        } catch {
            await abandon()
            return .failed(Task.isCancelled ? CancellationError() : error)
        }
    }

    // MARK: Parts

    /// Sends parts as they come, and the rest of a file that is not small. Returns the end, with the bytes that are still to be sent.
    private mutating func send(_ steps: AsyncStream<FileUpload.Step>, stop: @escaping @Sendable () -> Void) async throws -> FileUpload.Step? {
        try await withThrowingTaskGroup(of: UploadedPart.self) { group in
            var inFlight = 0, end: FileUpload.Step?
            for await step in steps {
                switch step {
                case .part(let bytes): try await add(bytes, to: &group, &inFlight, stop)
                case .end(let facts, var rest, let companions):
                    if upload == nil { self.facts = facts }
                    // A file of one part is one request.
                    var from = 0
                    while upload != nil || file.set != nil ? from < rest.count : rest.count - from > context.partSize {
                        let size = min(context.partSize(number: partCount + 1), rest.count - from)
                        try await add(Array(rest[from..<from + size]), to: &group, &inFlight, stop)
                        from += size
                    }
                    if upload != nil { rest = [] }
                    end = .end(facts, rest: rest, companions: companions)
                }
            }
            for try await part in group { parts.append(part) }
            return end
        }
    }

    private mutating func add(
        _ bytes: [UInt8], to group: inout ThrowingTaskGroup<UploadedPart, any Error>, _ inFlight: inout Int, _ stop: @escaping @Sendable () -> Void
    ) async throws {
        let upload = try await begun()
        if inFlight == 4, let part = try await group.next() {
            parts.append(part)
            inFlight -= 1
        }
        partCount += 1
        let (number, offset, retry, context) = (partCount, Int64(sentBytes), Retry(file: file, context: context), context)
        sentBytes += bytes.count
        inFlight += 1
        group.addTask {
            do {
                let part = try await retry { try await context.store.uploadPart(upload, number: number, offset: offset, bytes) }
                context.progress.stored(retry.file.number, bytes: bytes.count)
                return part
            } catch {
                stop()
                throw error
            }
        }
    }

    private mutating func begun() async throws -> Upload {
        if let upload { return upload }
        let retry = Retry(file: file, context: context), store = context.store, names = names
        if names.count > 1 {
            // Sent under one name, the file cannot take the other later.
            let (file, context) = (file, context), ours = file.facts(end: file.start, count: 0)
            choice = try await retry {
                for (i, name) in names.enumerated() {
                    switch try await StoredFile.look(at: name, in: store) {
                    case .absent: return i
                    case .file(let found) where found.beginsAs(ours): throw FileConflict.otherCut(file, found, at: name, context)
                    case .file, .foreign: continue
                    }
                }
                return names.count - 1
            }
        }
        if let facts {
            let attributes = ObjectAttributes(contentType: file.contentType, metadata: file.metadata(facts)), name = names[choice]
            upload = try await retry { try await store.beginUpload(name, attributes) }
            return upload!
        }
        if !store.completesMetadata {
            place = file.keepsFacts ? .footer : .object(context.naming.factsName(file.partition, start: file.start, id: UInt64.random(in: 0...UInt64.max)))
        }
        let attributes = ObjectAttributes(contentType: file.contentType, metadata: place.announcement(file)), name = names[choice]
        let upload = try await retry { try await store.beginUpload(name, attributes) }
        self.upload = upload
        return upload
    }

    // MARK: The end

    /// Ends what was sent, so that anybody can make it visible.
    private mutating func seal(_ facts: FileFacts, _ companions: [FileUpload.Companion]) async throws -> FileSet.Member {
        let retry = Retry(file: file, context: context), (file, store) = (file, context.store)
        let upload = try await begun(), attributes = ObjectAttributes(contentType: file.contentType, metadata: file.metadata(facts))
        try await announce(facts)
        var objects = [try await retry { [parts] in try await store.seal(upload, parts.sorted { $0.number < $1.number }, attributes) }]
        self.upload = objects[0].upload
        for companion in companions {
            let name = context.naming.name(companion.kind, beside: names[choice])
            objects.append(
                try await retry {
                    let upload = try await store.beginUpload(name, attributes)
                    return try await store.seal(upload, [try await store.uploadPart(upload, number: 1, offset: 0, companion.body)], attributes)
                })
        }
        let bytes = sentBytes + companions.reduce(0) { $0 + $1.body.count }
        return FileSet.Member(file: file, facts: facts, objects: objects, bytes: bytes, started: started)
    }

    /// Says what a streamed file holds, before it becomes visible: a file that is there can always be asked.
    private func announce(_ facts: FileFacts) async throws {
        guard case .object(let name) = place, upload != nil else { return }
        let store = context.store
        _ = try await Retry(file: file, context: context) { try await store.put(name, [], ObjectAttributes(metadata: facts.metadata), ifAbsent: false) }
    }

    /// Makes the file visible, once.
    private mutating func publish(_ facts: FileFacts, _ rest: [UInt8], _ companions: [FileUpload.Companion]) async throws {
        let retry = Retry(file: file, context: context), store = context.store
        try await announce(facts)
        let (file, context) = (file, context)
        while true {
            let name = names[choice]
            // Judged within the same attempt: looking may fail as writing may.
            let conflict = try await retry { [upload, parts] () -> FileConflict? in
                func write(ifAbsent: Bool) async throws -> PutOutcome {
                    let attributes = ObjectAttributes(contentType: file.contentType, metadata: facts.metadata)
                    guard let upload else { return try await store.put(name, rest, attributes, ifAbsent: ifAbsent) }
                    return try await store.complete(upload, parts.sorted { $0.number < $1.number }, attributes, ifAbsent: ifAbsent)
                }
                for companion in companions {
                    if let conflict = try await Self.place(companion, facts, beside: name, file, context) { return conflict }
                }
                if try await write(ifAbsent: context.conditional) == .stored { return nil }
                context.metrics.conflicted()
                let conflict = try await FileConflict.judge(file, facts, at: name, context)
                guard case .foreign = conflict else { return conflict }
                _ = try await write(ifAbsent: false)
                return nil
            }
            switch conflict {
            case nil: return
            case .sameFile, .foreign: return await abandon()
            case .otherCut(let found): throw FileConflict.otherCut(file, found, at: name, context)
            case .taken where choice + 1 < names.count && upload == nil: choice += 1
            // It was free when the first part left.
            case .taken where choice + 1 < names.count: throw FileConflict.otherCut(file, facts, at: name, context)
            case .taken: throw FileConflict.error(file, facts, at: name, context)
            }
        }
    }

    /// Writes an object that belongs to a file, before it. One that a crash left, of a file that was to be cut elsewhere, is replaced; one that has
    /// its file is not.
    private static func place(
        _ companion: FileUpload.Companion, _ facts: FileFacts, beside name: String, _ file: FileIdentity, _ context: UploadContext
    ) async throws -> FileConflict? {
        let key = context.naming.name(companion.kind, beside: name), attributes = ObjectAttributes(contentType: file.contentType, metadata: facts.metadata)
        if try await context.store.put(key, companion.body, attributes, ifAbsent: context.conditional) == .stored { return nil }
        if let there = try await context.store.head(key), FileFacts(there.metadata) == facts { return nil }
        if case .file(let found) = try await StoredFile.look(at: name, in: context.store) {
            if !found.beginsAs(facts) { return .taken }
            if found.end != facts.end { return .otherCut(found) }
        }
        _ = try await context.store.put(key, companion.body, attributes, ifAbsent: false)
        return nil
    }

    /// The file is stored already: a tag that cannot be set fails it only when the configuration says so.
    static func tag(_ file: FileIdentity, _ facts: FileFacts, _ name: String, _ context: UploadContext) async throws {
        guard let tags = context.tags else { return }
        let store = context.store
        do {
            if tags.isRequired {
                try await Retry(file: file, context: context) { try await store.tag(name, tags.tags(facts)) }
            } else {
                try await store.tag(name, tags.tags(facts))
            }
        } catch  where !tags.isRequired && !Task.isCancelled {
            context.metrics.notTagged()
            context.log.warn("\(name) is stored and could not be tagged: \(error)")
        }
    }

    /// Drops what was begun.
    private mutating func abandon() async {
        guard let upload else { return }
        self.upload = nil
        let store = context.store
        // Also when this task is cancelled: the store must not keep parts nobody will use.
        await Task { await store.abort(upload) }.value
    }
}

/// Repeats one step of a file's way while the store asks for it.
struct Retry: Sendable {
    let file: FileIdentity
    let context: UploadContext

    func callAsFunction<T: Sendable>(_ step: () async throws -> T) async throws -> T {
        var attempt = 0
        while true {
            do {
                try Task.checkCancellation()
                let result = try await step()
                context.progress.recovered(file.number)
                return result
            } catch let error as ConnectorError where error.disposition == .retry && !Task.isCancelled {
                context.progress.failing(file, error)
                // Spread out, so that many files do not come back together.
                try? await Task.sleep(for: context.retryBackoff * Double.random(in: 0.5...1) * Double(1 << min(attempt, 2)))
                attempt += 1
            }
        }
    }
}
