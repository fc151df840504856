/// The order in which a `java.util.HashMap` gives its entries: Debezium keeps hstores, sparse vectors and the counts of a transaction in one,
/// and its records show the order.
enum JavaHashMap {
    /// `String.hashCode`.
    static func hash(_ text: some Sequence<UInt16>) -> UInt32 { text.reduce(0) { $0 &* 31 &+ UInt32($1) } }

    /// How large the table of a map of so many entries is; it doubles when it is three quarters full.
    static func buckets(_ count: Int) -> Int {
        var buckets = 16
        while count > buckets / 4 * 3 { buckets *= 2 }
        return buckets
    }

    /// Entries by bucket, then as they were put in. `atLeast`: a map that was cleared keeps its table.
    static func order(_ hashes: [UInt32], atLeast: Int = 16) -> [Int] {
        let mask = max(buckets(hashes.count), atLeast) - 1
        let places = hashes.map { Int($0 ^ $0 >> 16) & mask }
        return hashes.indices.sorted { (places[$0], $0) < (places[$1], $1) }
    }

    /// Keys and values in turns, as cells of text.
    static func order(_ entries: ElementCells) -> [Int] {
        order(
            (0..<entries.cells.count / 2).map { entry in
                let cell = entries.cells[entry * 2]
                return hash(String(decoding: entries.bytes[cell.offset..<cell.offset + max(0, Int(cell.length))], as: UTF8.self).utf16)
            })
    }
}
