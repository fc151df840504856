import ConnectAPI

/// The plans of a partition, one after the other:
///
///     <topics.dir>/_compact/<topic>/<partition>/<number>.json
///
/// A number is created only where there is none, and the next one only by a task that has carried out the one before. So there is one plan at a time
/// whoever makes it, and no file is in two that both come to be. Of carried out plans the last two stay: a number is never given twice.
struct CompactionPlans: Sendable {
    let lane: Lane.Identity
    let context: CompactionContext

    private var directory: String { context.naming.chainDirectory(.compaction, lane) }
    private func name(_ number: Int64) -> String { context.naming.chainName(.compaction, lane, number) }

    func last() async throws -> CompactionPlan? {
        var last: CompactionPlan?, number: Int64 = -1
        if let key = try await context.store.list(directory, limit: 1).first {
            guard let found = context.naming.chainNumber(key, in: directory) else { throw unreadable(key) }
            (number, last) = (found, try await read(found))
        }
        // A listing may be behind, by a plan that is gone too.
        var missing = 0
        while missing < 2 {
            number += 1
            if let later = try await read(number) { (last, missing) = (later, 0) } else { missing += 1 }
        }
        if let last, last.connector != context.connector {
            throw ConnectorError(
                "objectstore.conflict", .stop, "\(name(last.number)) in \(context.store.place) was written by connector '\(last.connector)'",
                hint: "Two connectors merge files of one topic under the same names: give this one another topics.dir, or move \(directory) away")
        }
        return last
    }

    /// Adds a plan. Returns the one that has the number now: another task may have been first.
    func add(_ plan: CompactionPlan) async throws -> CompactionPlan {
        let attributes = ObjectAttributes(contentType: "application/json")
        var there = plan
        if try await context.store.put(name(plan.number), plan.json, attributes, ifAbsent: true) == .exists {
            guard let found = try await read(plan.number) else {
                throw ConnectorError("objectstore.conflict", .retry, "\(name(plan.number)) in \(context.store.place) exists and is gone again")
            }
            there = found
        }
        if plan.number >= 2 { try await context.store.delete(name(plan.number - 2)) }
        return there
    }

    private func read(_ number: Int64) async throws -> CompactionPlan? {
        guard let bytes = try await context.store.read(name(number), 0..<(8 << 20)) else { return nil }
        guard let plan = CompactionPlan(bytes), plan.number == number, (plan.sources.map(\.key) + [plan.target]).allSatisfy(isOurs) else {
            throw unreadable(name(number))
        }
        return plan
    }

    /// What a plan names is deleted: it must be a file of this topic, and of this partition as far as names tell.
    private func isOurs(_ key: String) -> Bool {
        guard key.hasPrefix(context.naming.listingPrefix(lane.topic)), let place = context.naming.place(key, topic: lane.topic) else { return false }
        return place.partition.map { $0 == lane.partition.partition } ?? true
    }

    private func unreadable(_ key: String) -> ConnectorError {
        ConnectorError(
            "objectstore.compaction_plan", .stop, "\(key) in \(context.store.place) is no plan of a compaction",
            hint: "Move away what is not this connector's below _compact")
    }
}
