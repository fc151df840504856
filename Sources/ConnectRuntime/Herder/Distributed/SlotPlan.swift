/// Gives tasks their slots: partitions of the assignment topic, counted from 1, since 0 is the leader's.
///
/// A task keeps its slot as long as it has it, so that what runs elsewhere is not disturbed; a slot given up is used again. Of the free ones
/// those go first whose worker has the fewest tasks, which keeps the load even while workers stay.
struct SlotPlan {
    /// How many slots there are, the leader's included.
    var capacity: Int
    /// Slots in use by other connectors.
    var taken: Set<Int>
    /// The worker that has each slot now, as far as it is known.
    var owners: [Int: String]

    /// The slots of a connector's tasks; `capacity` grows where they do not suffice.
    mutating func slots(for tasks: Int, keeping current: [Int]) -> [Int] {
        var slots = Array(current.prefix(tasks).filter { $0 > 0 && $0 < capacity && !taken.contains($0) })
        var load: [String: Int] = [:]
        for slot in taken.union(slots) { if let owner = owners[slot] { load[owner, default: 0] += 1 } }
        var free = Set(1..<max(capacity, 1)).subtracting(taken).subtracting(slots)
        while slots.count < tasks {
            // A slot nobody has yet comes last: it starts only with the next rebalance.
            func rank(_ slot: Int) -> (Int, Int) { (owners[slot].map { load[$0] ?? 0 } ?? .max, slot) }
            guard let slot = free.min(by: { rank($0) < rank($1) }) else {
                capacity = Self.grown(capacity, to: capacity + tasks - slots.count)
                free = Set(1..<capacity).subtracting(taken).subtracting(slots)
                continue
            }
            free.remove(slot)
            slots.append(slot)
            if let owner = owners[slot] { load[owner, default: 0] += 1 }
        }
        return slots
    }

    /// Steps of 8: few rebalances while tasks grow, and few slots without a task, which would blur the balance between workers.
    static func grown(_ capacity: Int, to needed: Int) -> Int { max(capacity, (needed + 7) / 8 * 8) }
}
