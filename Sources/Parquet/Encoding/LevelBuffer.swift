/// The levels of slots: a single one, or one a slot.
enum Levels {
    case uniform(UInt8)
    case each([UInt8])

    subscript(slot: Int) -> UInt8 {
        switch self {
        case .uniform(let level): level
        case .each(let levels): levels[slot]
        }
    }

    /// How many slots of the range have this level.
    func count(of wanted: UInt8, in range: Range<Int>) -> Int {
        switch self {
        case .uniform(let level): return level == wanted ? range.count : 0
        case .each(let levels):
            return levels.withUnsafeBufferPointer { levels in
                var n = 0
                for i in range { n &+= levels[i] == wanted ? 1 : 0 }
                return n
            }
        }
    }
}

/// The definition or repetition levels of the open page. As long as all are equal, which is the rule, they take no memory.
struct LevelBuffer: ~Copyable {
    private(set) var count = 0
    private var uniform: UInt8 = 0
    private var bytes = ByteBuffer()

    var memory: Int { bytes.capacity }
    private var isUniform: Bool { bytes.count == 0 }

    mutating func append(_ levels: Levels, _ range: Range<Int>) {
        if range.isEmpty { return }
        switch levels {
        case .uniform(let level):
            if count == 0 { uniform = level }
            if !isUniform || level != uniform {
                spell()
                appendRun(level, range.count)
            }
        case .each(let levels):
            spell()
            levels.withUnsafeBytes { bytes.append(UnsafeRawBufferPointer(rebasing: $0[range])) }
        }
        count += range.count
    }

    private mutating func spell() { if isUniform { appendRun(uniform, count) } }

    private mutating func appendRun(_ level: UInt8, _ n: Int) {
        bytes.append(upTo: n) {
            $0.initializeMemory(as: UInt8.self, repeating: level, count: n)
            return n
        }
    }

    /// Encodes the levels and starts anew.
    mutating func finish(width: Int, into out: inout ByteBuffer) {
        if isUniform {
            HybridEncoder.appendRun(UInt32(uniform), count: count, width: width, to: &out)
        } else {
            HybridEncoder.append(bytes.bytes.bindMemory(to: UInt8.self), width: width, to: &out)
        }
        bytes.removeAll()
        count = 0
    }
}
