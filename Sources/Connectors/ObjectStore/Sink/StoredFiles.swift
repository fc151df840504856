import ConnectAPI

/// Finds where an earlier run ended in a directory: from the first record read again, look at the name its file would have, jump to the
/// record after its end, and so on until there is no such file (sinks of one directory store files in offset order).
struct StoredFiles {
    struct Question: Sendable {
        let directory: Int32
        let name: String
        /// The directory's rows that are not known to be stored, in the order of their offsets. `nameTime` is what a name would show.
        let rows: [(offset: Int64, timestamp: Int64, nameTime: Int64)]
    }

    struct Answer: Sendable {
        let directory: Int32
        var found: [ClosedRange<Int64>] = []
        /// False: every row of the question is stored, the next batch has to ask on.
        var complete = false
    }

    let lane: Lane.Identity
    let connector: String
    let store: any ObjectStore
    let naming: FileNaming

    func ask(_ questions: [Question]) async throws -> [Answer] {
        try await withThrowingTaskGroup(of: Answer.self) { group in
            var next = questions.makeIterator(), answers: [Answer] = []
            for _ in 0..<8 { if let question = next.next() { group.addTask { try await ask(question) } } }
            while let answer = try await group.next() {
                answers.append(answer)
                if let question = next.next() { group.addTask { try await ask(question) } }
            }
            return answers
        }
    }

    private func ask(_ question: Question) async throws -> Answer {
        var answer = Answer(directory: question.directory), row = 0
        while row < question.rows.count {
            let (offset, timestamp, nameTime) = question.rows[row]
            guard let end = try await end(question.name, offset, timestamp, nameTime) else {
                answer.complete = true
                return answer
            }
            answer.found.append(offset...end)
            while row < question.rows.count, question.rows[row].offset <= end { row += 1 }
        }
        return answer
    }

    /// The end of the file that begins with this record, or nil when there is none.
    private func end(_ directory: String, _ offset: Int64, _ timestamp: Int64, _ nameTime: Int64) async throws -> Int64? {
        let names = naming.names(topic: lane.topic, partition: lane.partition.partition, directory: directory, start: offset, time: nameTime)
        let wanted = FileFacts(
            start: offset, end: offset, count: 1, connector: connector, startTimestamp: timestamp, source: lane.partition.description)
        for (i, name) in names.enumerated() {
            // Without our facts it is another writer's; storing the file will judge it.
            guard case .file(let facts) = try await StoredFile.look(at: name, in: store) else { return nil }
            if facts.beginsAs(wanted) { return facts.end }
            guard i + 1 < names.count else {
                throw ConnectorError(
                    "objectstore.conflict", .stop,
                    "\(name) in \(store.place) exists and was written by connector '\(facts.connector)' for another record of offset \(facts.start) than the one of \(lane.partition) now",
                    hint:
                        "Another connector writes to the same names, or the topic was created anew: give this one another topics.dir, or move the old files away"
                )
            }
        }
        return nil
    }
}
