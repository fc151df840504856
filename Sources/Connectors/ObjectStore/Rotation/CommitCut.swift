/// How far a topic partition may be committed: the consistent cut.
///
/// Directories rotate independently, so a stored file of directory A may span the start of a still open file of B. Committing the smallest open
/// start would make a restart begin inside A's file, give A a new start offset and so a new name, and store records twice. Therefore
///
///     C = the smallest start of a file not stored yet, or the next offset when there is none;
///     while a stored file has start < C <= end: C = its start;      commit C only when it grew (Invariant 4)
///
/// After a restart at C, every record read again belongs to a file whose name is met again, and is dropped or continued.
struct CommitCut {
    /// The offset after the last record taken.
    private(set) var next: Int64?
    private(set) var committed: Int64?
    /// File number → start, of files that are open or on their way.
    private var unstored: [Int: Int64] = [:]
    /// Stored files that a later commit could still fall into, by start.
    private var stored: [(start: Int64, end: Int64)] = []
    /// Something happened since `committable` was asked last: of many partitions, few have anything to say after a batch.
    private var mayHaveGrown = true

    /// Reading began here: nothing before it is left to commit.
    mutating func start(at offset: Int64) { if committed == nil { committed = offset } }

    /// Records up to here were taken or are none of this sink's business.
    mutating func advance(to next: Int64) {
        self.next = max(next, self.next ?? next)
        mayHaveGrown = true
    }

    mutating func begin(_ file: Int, start: Int64) { unstored[file] = start }

    /// The destination holds the file; `end` is its last offset.
    mutating func store(_ file: Int, end: Int64) {
        if let start = unstored.removeValue(forKey: file) { addStored(start, end) }
        mayHaveGrown = true
    }

    /// The file turned out to hold nothing worth storing.
    mutating func drop(_ file: Int) {
        unstored[file] = nil
        mayHaveGrown = true
    }

    /// A file of an earlier run was found.
    mutating func found(start: Int64, end: Int64) {
        if !stored.contains(where: { $0.start == start && $0.end == end }) { addStored(start, end) }
    }

    private mutating func addStored(_ start: Int64, _ end: Int64) {
        guard end >= committed ?? .min, end >= start else { return }
        let at = stored.firstIndex { $0.start > start } ?? stored.count
        stored.insert((start, end), at: at)
    }

    /// Whether files wait to be covered by a commit.
    var isHeldBack: Bool { !stored.isEmpty && !unstored.isEmpty }

    /// The cut, whether or not it grew.
    var cut: Int64? {
        guard var cut = unstored.values.min() ?? next else { return nil }
        // From the greatest start down, one pass is enough: a cut never falls into a file that begins after it.
        for file in stored.reversed() where file.start < cut && cut <= file.end { cut = file.start }
        return cut
    }

    /// The offset to commit, or nil when the cut did not grow since the last call.
    mutating func committable() -> Int64? {
        guard mayHaveGrown else { return nil }
        mayHaveGrown = false
        guard let cut, cut > committed ?? .min else { return nil }
        committed = cut
        stored.removeAll { $0.end < cut }
        return cut
    }
}
