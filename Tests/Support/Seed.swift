import Foundation

/// A generator whose seed is printed, so that a failing property test can be run again: `SLUICE_SEED=… swift test`.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64
    public let seed: UInt64

    public init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    /// Seeded by `SLUICE_SEED`, or else at random.
    public static func printed(_ test: String = #function) -> SeededGenerator {
        let seed = ProcessInfo.processInfo.environment["SLUICE_SEED"].flatMap { UInt64($0) } ?? .random(in: 0 ... .max)
        print("\(test): SLUICE_SEED=\(seed)")
        return SeededGenerator(seed: seed)
    }

    /// SplitMix64.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
