import ConnectAPI
import Synchronization

/// Says once a topic that its records go to very many directories at the same time: each has a file of its own, which are then small.
final class ManyDirectories: Sendable {
    static let many = 100
    private let said = Mutex<Set<String>>([])

    func opened(_ files: Int, of lane: Lane.Identity, _ log: Logger) {
        guard files == Self.many + 1, said.withLock({ $0.insert(lane.topic).inserted }) else { return }
        log.warn(
            "\(lane.partition) has files open in more than \(Self.many) directories: files will be many and small. Divide records by fewer values (partition.field.name, path.format, file.name.template), or give files more time (file.max.age.ms, flush.size)"
        )
    }
}
