import ConnectAPI

/// Turns rows into leaves with levels, as Dremel does, but node by node and not row by row: levels and positions of a node are made from
/// those of its parent in one loop.
///
///     definition   how many optional or repeated nodes of the leaf's path are there; the highest: the value is
///     repetition   at which list of the path the slot continues; 0: a new row
struct Shredder {
    private var leaves: [ShreddedLeaf] = []

    /// The leaves of the fields for these rows, in the file's order.
    static func shred(_ fields: [MappedField], _ columns: [PreparedColumn], rows: Range<Int>) -> [ShreddedLeaf] {
        var shredder = Shredder()
        for (field, column) in zip(fields, columns) { shredder.shred(field, column, Slots(rows: rows), definition: 0, repetition: 0) }
        return shredder.leaves
    }

    private mutating func shred(_ field: MappedField, _ column: PreparedColumn, _ slots: Slots, definition: UInt8, repetition: UInt8) {
        func defined(_ validity: Bitmap?) -> Slots { field.isOptional ? slots.defined(validity, level: definition) : slots }
        let level = field.isOptional ? definition + 1 : definition
        switch (field.kind, column) {
        case (_, .null):
            let ended = slots.ended()
            for _ in field.leaves { leaves.append(ShreddedLeaf(slots: ended, source: .none)) }
        case (.leaf, .constant(let values)): leaves.append(ShreddedLeaf(slots: defined(nil), source: .constant(values)))
        case (.leaf, .leaf(let values, let validity)): leaves.append(ShreddedLeaf(slots: defined(validity), source: .column(values)))
        case (.group(let fields), .group(let columns, let validity)):
            let slots = defined(validity)
            for (field, column) in zip(fields, columns) { shred(field, column, slots, definition: level, repetition: repetition) }
        case (.list(let element), .list(let offsets, let column, let validity)):
            let slots = defined(validity).elements(offsets, level: level, repetition: repetition + 1)
            shred(element, column, slots, definition: level + 1, repetition: repetition + 1)
        case (.map(let key, let value), .map(let offsets, let keys, let values, let validity)),
            (.entries(let key, let value), .map(let offsets, let keys, let values, let validity)):
            let slots = defined(validity).elements(offsets, level: level, repetition: repetition + 1)
            shred(key, keys, slots, definition: level + 1, repetition: repetition + 1)
            shred(value, values, slots, definition: level + 1, repetition: repetition + 1)
        default: preconditionFailure("a column was prepared for another field")
        }
    }
}
