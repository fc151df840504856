/// A range of a table's integer key, `[lower, upper)`; nil is without end. Part of the name of a snapshot unit: `public.a[1000,2000)`.
struct KeyRange: Sendable, Hashable {
    var lower: Int64?
    var upper: Int64?

    @inline(__always) func contains(_ key: Int64) -> Bool { lower.map { key >= $0 } ?? true && upper.map { key < $0 } ?? true }

    var text: String { "[\(lower.map(String.init) ?? ""),\(upper.map(String.init) ?? ""))" }

    /// `WHERE` condition on a quoted column.
    func condition(_ column: String) -> String {
        let parts = [lower.map { "\(column) >= \($0)" }, upper.map { "\(column) < \($0)" }].compactMap { $0 }
        return parts.isEmpty ? "true" : parts.joined(separator: " AND ")
    }

    /// The pieces between these cuts.
    func divided(at cuts: [Int64]) -> [KeyRange] {
        var pieces: [KeyRange] = [], start = lower
        for cut in cuts.sorted() where start.map({ cut > $0 }) ?? true && upper.map({ cut < $0 }) ?? true {
            pieces.append(KeyRange(lower: start, upper: cut))
            start = cut
        }
        return pieces + [KeyRange(lower: start, upper: upper)]
    }
}

/// Names of snapshot units: a table, or a range of one.
enum SnapshotUnitName {
    static func make(_ table: String, _ range: KeyRange?) -> String { table + (range?.text ?? "") }

    /// The table and range a name stands for.
    static func parse(_ name: String) -> (table: String, range: KeyRange?) {
        guard name.hasSuffix(")"), let open = name.lastIndex(of: "[") else { return (name, nil) }
        let ends = name[name.index(after: open)...].dropLast().split(separator: ",", omittingEmptySubsequences: false)
        guard ends.count == 2, ends.allSatisfy({ $0.isEmpty || Int64($0) != nil }) else { return (name, nil) }
        return (String(name[..<open]), KeyRange(lower: Int64(ends[0]), upper: Int64(ends[1])))
    }
}

/// What a snapshot has read: units by name, with the LSN of the database snapshot each was read under.
struct SnapshotLedger: Sendable, Hashable {
    private(set) var units: [String: UInt64]

    init(_ units: [String: UInt64] = [:]) { self.units = units }

    var isEmpty: Bool { units.isEmpty }

    /// Notes a finished unit; neighbours read under the same snapshot become one, so that the ledger stays small.
    mutating func finish(_ table: String, _ range: KeyRange?, lsn: UInt64) {
        guard var range else {
            units[table] = lsn
            return
        }
        for (other, otherLSN) in ranges(of: table) where otherLSN == lsn {
            if other.upper != nil, other.upper == range.lower {
                range.lower = other.lower
            } else if other.lower != nil, other.lower == range.upper {
                range.upper = other.upper
            } else {
                continue
            }
            units[SnapshotUnitName.make(table, other)] = nil
        }
        units[range == KeyRange() ? table : SnapshotUnitName.make(table, range)] = lsn
    }

    func isFinished(_ table: String) -> Bool { units[table] != nil }

    /// The finished ranges of a table, in ascending order.
    func ranges(of table: String) -> [(range: KeyRange, lsn: UInt64)] {
        units.compactMap { name, lsn in
            guard name.hasPrefix(table) else { return nil }
            let (found, range) = SnapshotUnitName.parse(name)
            return found == table ? range.map { ($0, lsn) } : nil
        }.sorted { ($0.range.lower ?? .min) < ($1.range.lower ?? .min) }
    }

    /// The ranges of a table that are not finished.
    func gaps(of table: String) -> [KeyRange] {
        var gaps: [KeyRange] = [], start: Int64?, atEnd = false
        for (range, _) in ranges(of: table) {
            if range.lower != start { gaps.append(KeyRange(lower: start, upper: range.lower)) }
            start = range.upper
            if range.upper == nil { atEnd = true }
        }
        return atEnd ? gaps : gaps + [KeyRange(lower: start, upper: nil)]
    }

    /// Only what was read under a later snapshot than this LSN.
    func later(than lsn: UInt64) -> SnapshotLedger { SnapshotLedger(units.filter { $0.value > lsn }) }
}
