import Foundation
import TestSupport

/// A generator whose seed is printed; `SLUICE_SEED` runs one again.
func decodeGenerator(_ name: String = #function) -> SeededGenerator {
    let seed = ProcessInfo.processInfo.environment["SLUICE_SEED"].flatMap { UInt64($0) } ?? .random(in: 0 ... .max)
    print("\(name): seed \(seed)")
    return SeededGenerator(seed: seed)
}
