import ConnectAPI
import JSON

/// Directories of time that are to be said complete (`directory.manifest.delay.ms`): for each, and each log partition, an object lists the files.
///
///     a file begins in hour 07 ─▶ it waits ─▶ a record of 08:00 + delay was taken, and no file of hour 07 is open or on its way
///        ─▶ <topics.dir>/_manifest/<topic>/<directory>/<partition>.json
///
/// Where no record comes for as long as the delay, the clock of the wall stands for record times. A record that is later still is stored all the same, and the
/// manifest written anew. What waits is found again after a restart: directories before the first record that have files and no manifest.
struct ClosedDirectories {
    let delay: Int64
    /// When the stretch of time of a directory ends, in milliseconds.
    private var waiting: [Int32: Int64] = [:]
    /// The greatest time of a record taken, and when the last was taken.
    private(set) var recordTime = Int64.min
    private var takenAt: Int64
    /// What an earlier run left waiting is not known yet.
    var looksBack = true

    /// How many stretches a start looks back at most.
    static let lookedBack = 24

    init(delay: Int64, now: Int64) {
        self.delay = delay
        takenAt = now
    }

    var isEmpty: Bool { waiting.isEmpty }

    mutating func took(_ times: TimestampColumn, rows: Int, now: Int64) {
        takenAt = now
        switch times {
        case .constant(let time): recordTime = max(recordTime, time)
        case .each(let each): recordTime = each.prefix(rows).reduce(recordTime) { max($0, $1) }
        }
    }

    mutating func wait(_ directory: Int32, end: Int64) { waiting[directory] = end }
    mutating func close(_ directory: Int32) { waiting[directory] = nil }

    /// No record came for so long that the wall's clock tells the time.
    func isIdle(now: Int64) -> Bool { now - takenAt >= max(delay, 60_000) }

    /// Directories that are closed, unless something of them is not stored yet.
    func due(now: Int64) -> [(directory: Int32, end: Int64)] {
        let reached = isIdle(now: now) ? max(recordTime, now) : recordTime
        // No record was taken yet.
        if reached == .min { return [] }
        return waiting.filter { $0.value <= reached.subtractingReportingOverflow(delay).partialValue }.map { (directory: $0.key, end: $0.value) }.sorted {
            $0.end < $1.end
        }
    }
}

/// What a partition has in a directory of time that is closed.
struct DirectoryManifest {
    let lane: Lane.Identity
    let directory: String
    /// When the directory's stretch of time ended, in milliseconds.
    let end: Int64
    /// Every record before this offset is stored; nil: none was read since the task started.
    let nextOffset: Int64?
    let files: [String]

    var json: [UInt8] {
        JSONValue.object([
            ("topic", .string(lane.topic)), ("partition", .integer(lane.partition.partition)), ("directory", .string(directory)), ("end", .integer(end)),
            ("nextOffset", nextOffset.map { .integer($0) } ?? .null), ("files", .array(files.map { .string($0) })),
        ]).compactBytes
    }
}

extension PartitionWriter {
    /// Finds what an earlier run left without a manifest, once: directories up to that of a time.
    func lookBack(_ lane: Lane, from time: Int64) async throws {
        guard lane.closed?.looksBack == true else { return }
        var time = time
        let (naming, store) = (context.plan.naming, context.uploads.store)
        var found: [(directory: Int32, end: Int64)] = []
        for _ in 0...ClosedDirectories.lookedBack {
            guard let stretch = lane.partitioner.stretch(at: time) else { break }
            time = stretch.start - 1
            let name = lane.name(stretch.directory)
            if try await store.head(naming.manifestName(lane.identity, directory: name)) != nil { continue }
            let files = naming.filePrefix(topic: lane.identity.topic, partition: partition.partition, directory: name)
            if try await store.list(files, limit: 1).isEmpty == false { found.append((stretch.directory, stretch.end)) }
        }
        for directory in found { lane.closed?.wait(directory.directory, end: directory.end) }
        lane.closed?.looksBack = false
    }

    /// Says which directories are complete. Returns whether nothing failed: what did is tried again later.
    func putManifests(_ now: Int64) async -> Bool {
        let (naming, store) = (context.plan.naming, context.uploads.store)
        for lane in allLanes {
            if lane.closed?.looksBack == true, lane.closed?.isIdle(now: now) == true {
                do { try await lookBack(lane, from: now) } catch {
                    context.uploads.log.warn("What \(partition) has stored could not be listed: \(error)")
                    return false
                }
            }
            for (directory, end) in lane.closed?.due(now: now) ?? [] where lane.open[directory] == nil && lane.uploads[directory] == nil {
                let name = lane.name(directory), prefix = naming.filePrefix(topic: lane.identity.topic, partition: partition.partition, directory: name)
                do {
                    let files = try await store.list(prefix, limit: .max).filter { naming.isValueFile($0) }
                    let manifest = DirectoryManifest(lane: lane.identity, directory: name, end: end, nextOffset: cut.committed, files: files)
                    let attributes = ObjectAttributes(contentType: "application/json")
                    _ = try await store.put(naming.manifestName(lane.identity, directory: name), manifest.json, attributes, ifAbsent: false)
                    lane.closed?.close(directory)
                } catch {
                    context.uploads.log.warn("The manifest of \(name) of \(partition) could not be written: \(error)")
                    return false
                }
            }
        }
        return true
    }
}
