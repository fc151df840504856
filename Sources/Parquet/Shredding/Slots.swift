import ConnectAPI

/// Ascending positions in a column.
enum Positions {
    case range(Range<Int>)
    case each([Int32])

    var count: Int {
        switch self {
        case .range(let range): range.count
        case .each(let positions): positions.count
        }
    }

    /// The least range that holds all.
    var span: Range<Int> {
        switch self {
        case .range(let range): range
        case .each(let positions): positions.isEmpty ? 0..<0 : Int(positions[0])..<Int(positions[positions.count - 1]) + 1
        }
    }
}

/// The slots of a node of the schema for a run of rows, before its values are looked at.
///
/// A slot is live when its definition level is the node's: then it stands for the next of `live`'s positions in the node's column. A slot
/// whose level is lower ended at a null or an empty list further up.
struct Slots {
    var count: Int
    var definition: Levels
    /// Nil below no list: every slot is a row.
    var repetition: [UInt8]?
    var live: Positions

    init(rows: Range<Int>) {
        count = rows.count
        definition = .uniform(0)
        live = .range(rows)
    }

    /// The slots one level down, where those of null rows end. `level` is the level of live slots before.
    func defined(_ validity: Bitmap?, level: UInt8) -> Slots {
        var out = self
        guard let validity, !allValid(validity) else {
            switch definition {
            case .uniform(let known): out.definition = .uniform(known == level ? level + 1 : known)
            case .each(let levels): out.definition = .each(levels.map { $0 == level ? level + 1 : $0 })
            }
            return out
        }
        var positions = [Int32](), levels = [UInt8]()
        positions.reserveCapacity(live.count)
        validity.words.withUnsafeBufferPointer { words in
            func isValid(_ position: Int) -> Bool { words[position &>> 6] &>> UInt64(position & 63) & 1 != 0 }
            switch (definition, live) {
            case (.uniform(let known), .range(let range)) where known == level:
                levels = [UInt8](unsafeUninitializedCapacity: range.count) { levels, n in
                    for position in range {
                        let valid = isValid(position)
                        levels.initializeElement(at: n, to: valid ? level + 1 : level)
                        if valid { positions.append(Int32(truncatingIfNeeded: position)) }
                        n &+= 1
                    }
                }
            default:
                levels.reserveCapacity(count)
                var next = 0
                for slot in 0..<count {
                    guard definition[slot] == level else {
                        levels.append(definition[slot])
                        continue
                    }
                    let position = livePosition(next)
                    next += 1
                    levels.append(isValid(position) ? level + 1 : level)
                    if isValid(position) { positions.append(Int32(truncatingIfNeeded: position)) }
                }
            }
        }
        out.definition = .each(levels)
        out.live = .each(positions)
        return out
    }

    /// The slots where every live one ends here: a node that is null throughout.
    func ended() -> Slots {
        var out = self
        out.live = .each([])
        return out
    }

    private func livePosition(_ i: Int) -> Int {
        switch live {
        case .range(let range): range.lowerBound + i
        case .each(let positions): Int(positions[i])
        }
    }

    private func allValid(_ validity: Bitmap) -> Bool {
        switch live {
        case .range(let range):
            // Whole words first; the ends bit by bit.
            var position = range.lowerBound
            while position < range.upperBound {
                if position & 63 == 0 && position + 64 <= range.upperBound {
                    if validity.words[position >> 6] != .max { return false }
                    position += 64
                } else {
                    if !validity[position] { return false }
                    position += 1
                }
            }
            return true
        case .each(let positions): return positions.allSatisfy { validity[Int($0)] }
        }
    }

    /// The slots of a list's elements. `level` is the level of lists that are there; `repetition` the one of elements after the first.
    func elements(_ offsets: [Int32], level: UInt8, repetition depth: UInt8) -> Slots {
        var definitions: [UInt8] = [], repetitions: [UInt8] = [], positions: [Int32] = []
        definitions.reserveCapacity(count)
        repetitions.reserveCapacity(count)
        var next = 0
        for slot in 0..<count {
            let outer = repetition?[slot] ?? 0
            let known = definition[slot]
            var n = 0
            if known == level {
                let row = livePosition(next)
                next += 1
                let first = offsets[row]
                n = Int(offsets[row + 1] - first)
                for i in 0..<n {
                    definitions.append(level + 1)
                    repetitions.append(i == 0 ? outer : depth)
                    positions.append(first + Int32(i))
                }
            }
            if n == 0 {
                definitions.append(known)
                repetitions.append(outer)
            }
        }
        var out = self
        out.count = definitions.count
        out.definition = .each(definitions)
        out.repetition = repetitions
        // Lists that lie one after the other leave no gaps.
        if let first = positions.first, let last = positions.last, Int(last - first) + 1 == positions.count {
            out.live = .range(Int(first)..<Int(last) + 1)
        } else {
            out.live = .each(positions)
        }
        return out
    }
}
