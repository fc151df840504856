import Foundation
import TestSupport

/// Generators whose seed is printed; `SLUICE_SEED` runs one again.
enum Seed {
    static func generator(_ name: String = #function) -> SeededGenerator { SeededGenerator(seed: seed(name)) }

    private static func seed(_ name: String) -> UInt64 {
        let seed = ProcessInfo.processInfo.environment["SLUICE_SEED"].flatMap { UInt64($0) } ?? .random(in: 0 ... .max)
        print("\(name): seed \(seed)")
        return seed
    }
}
