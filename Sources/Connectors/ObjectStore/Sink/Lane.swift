import ConnectAPI

/// The records of one log partition that go to one topic's directories: partitioner, rotation and open files. A transform that renames topics
/// can make one partition feed several lanes.
final class Lane {
    struct Identity: Sendable, Hashable {
        let partition: TopicPartition
        let topic: String
    }

    let identity: Identity
    var partitioner: Partitioner
    var rotation: PartitionRotation
    private(set) var open: [Int32: OpenFile] = [:]
    /// Of all open files; kept up to date so that asking costs nothing however many there are.
    private(set) var bufferedBytes = 0
    /// The last upload of a directory: the next one becomes visible after it.
    var uploads: [Int32: FileUpload] = [:]
    /// The offset up to which an earlier run stored a directory.
    var storedUpTo: [Int32: Int64] = [:]
    /// Directories of which it is known where the earlier run ended.
    var probed: Set<Int32> = []
    var lastValueSchema: Schema?
    /// What is stored, when a ledger says it; the set that open files belong to, and the one before it.
    var ledger: Ledger?
    var set = Ledger.drawID()
    var lastSet: FileSet?
    /// nil: nobody asked for manifests.
    var closed: ClosedDirectories?
    private var composer: OutputFields.Composer?

    init(_ identity: Identity, _ partitioner: Partitioner, _ rotation: PartitionRotation) {
        self.identity = identity
        self.partitioner = partitioner
        self.rotation = rotation
    }

    /// The column that is written of these rows.
    func compose(_ output: OutputFields, _ consumed: ConsumedBatch, _ value: Column?, _ nulls: Bitmap?) throws -> Column? {
        var composer = self.composer ?? OutputFields.Composer(output)
        defer { self.composer = composer }
        return try composer.column(consumed, value: value, nulls: nulls, lastSchema: lastValueSchema)
    }

    private var whole: Schema?
    private var kept: (schema: Schema, fields: [Int])?

    /// The column without members of these names (in lower case).
    func dropping(_ names: Set<String>, from column: Column) -> Column {
        guard column.schema.type == .struct else { return column }
        // One instance as long as the schema stays, so that comparing stays cheap.
        if whole !== column.schema, whole != column.schema {
            let schema = column.schema, fields = schema.fields.indices.filter { !names.contains(schema.fields[$0].name.lowercased()) }
            let shorter = Schema(
                .struct, optional: schema.isOptional, name: schema.name, version: schema.version, parameters: schema.parameters,
                fields: fields.map { schema.fields[$0] })
            (whole, kept) = (schema, fields.count == schema.fields.count ? nil : (shorter, fields))
        }
        guard let kept else { return column }
        return Column(
            kept.schema, count: column.count, .struct(kept.fields.map { column.child(at: $0) }), validity: column.validRows, unavailable: column.unavailable)
    }

    func name(_ directory: Int32) -> String { partitioner.names[Int(directory)] }

    /// Opens a file or puts back one that changed.
    func keep(_ file: OpenFile, _ directory: Int32) {
        let holding = Holding(bytes: file.bufferedBytes, openedAt: file.openedAt)
        bufferedBytes += holding.bytes - (holdings.updateValue(holding, forKey: directory)?.bytes ?? 0)
        earliestOpening = min(earliestOpening, file.openedAt)
        open[directory] = file
    }

    /// Takes a file out, to change or to end it. Changed, it is put back with `keep`: its buffers are not shared meanwhile.
    func take(_ directory: Int32) -> OpenFile? {
        bufferedBytes -= holdings.removeValue(forKey: directory)?.bytes ?? 0
        return open.removeValue(forKey: directory)
    }

    /// What is asked of all open files at once, without touching the files.
    struct Holding {
        let bytes: Int
        let openedAt: Int64
    }
    private(set) var holdings: [Int32: Holding] = [:]
    /// No open file is older.
    private var earliestOpening = Int64.max

    var oldestOpening: Int64? { holdings.values.lazy.map(\.openedAt).min() }

    /// The files opened at this time or before. Costs nothing as long as there are none.
    func opened(by time: Int64) -> [Int32] {
        guard earliestOpening <= time else { return [] }
        earliestOpening = oldestOpening ?? .max
        return holdings.filter { $0.value.openedAt <= time }.keys.sorted()
    }
}

/// A batch that is ready to be divided: every row has a directory.
struct PlacedBatch {
    var batch: ConsumedBatch
    /// What is written, after `payload.path`; nil when no row has a value.
    var value: Column?
    /// Rows without a value; nil: none.
    var nulls: Bitmap?
    /// For the files of keys and headers, where they are stored.
    var keys: Column?
    var headers: Column?
    var directories: Partitioner.Rows
    var times: TimestampColumn?
    /// The times that names show, where they are not the records' own.
    var nameTimes: TimestampColumn?

    var count: Int { batch.batch.count }

    /// These rows only, in the order given.
    func select(_ rows: [Int]) -> PlacedBatch {
        let directories: Partitioner.Rows
        switch self.directories {
        case .all: directories = self.directories
        case .each(let each): directories = .each(rows.map { each[$0] })
        }
        return PlacedBatch(
            batch: ConsumedBatch(
                batch.batch.select(rows), from: batch.partition, offsets: .each(rows.map { batch.offsets[$0] }), nextOffset: batch.nextOffset),
            value: value?.select(rows), nulls: nulls?.select(rows), keys: keys?.select(rows), headers: headers?.select(rows), directories: directories,
            times: times?.select(rows), nameTimes: nameTimes?.select(rows))
    }

    /// The time that the name of a file which begins with this row shows.
    func nameTime(_ row: Int) -> Int64 { nameTimes?[row] ?? timestamp(row) }

    func timestamp(_ row: Int) -> Int64 {
        switch batch.batch.timestamps.storage {
        case .int64(let v): v[row]
        case .constant(.integer(let i)): i
        default: 0
        }
    }

    /// The rows of a range by directory, in the order the directories first occur; nil: all rows, one directory.
    func grouped(_ range: Range<Int>) -> [(directory: Int32, rows: [Int]?)] {
        guard case .each(let each) = directories else { return [(directories[range.lowerBound], nil)] }
        if !range.dropFirst().contains(where: { each[$0] != each[range.lowerBound] }) { return [(each[range.lowerBound], nil)] }
        var order: [Int32: Int] = [:], groups: [(directory: Int32, rows: [Int]?)] = []
        var last: (directory: Int32, group: Int) = (-2, 0)
        for row in range {
            if each[row] != last.directory {
                if let group = order[each[row]] {
                    last = (each[row], group)
                } else {
                    last = (each[row], groups.count)
                    order[each[row]] = groups.count
                    groups.append((each[row], []))
                }
            }
            groups[last.group].rows?.append(row)
        }
        return groups
    }
}
