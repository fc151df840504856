import ConnectAPI
import Synchronization

/// Says once a topic that its records go to very many directories at the same time: each has a file of its own, which are then small.
final class ManyDirectories: Sendable {
    static let many = 100
    private let said = Mutex<Set<String>>([])

    /// What there is to say of a lane that has this many files open now; nil: nothing, or it was said.
    func warning(_ files: Int, of lane: Lane.Identity) -> String? {
        guard files == Self.many + 1, said.withLock({ $0.insert(lane.topic).inserted }) else { return nil }
        return
            "\(lane.partition) has files open in more than \(Self.many) directories: files will be many and small. Divide records by fewer values (partition.field.name, path.format, file.name.template), or give files more time (file.max.age.ms, flush.size)"
    }
}
