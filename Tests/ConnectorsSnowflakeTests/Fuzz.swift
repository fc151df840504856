import Foundation
import TestSupport

enum Fuzz {
    /// Gives the body damaged copies: bytes changed, taken out, doubled; and now and then noise.
    static func bytes(_ good: [UInt8], _ rounds: Int, _ random: inout SeededGenerator, _ body: ([UInt8]) throws -> Void) rethrows {
        for round in 0..<rounds {
            var bytes = good
            if round % 20 == 0 { bytes = (0..<Int.random(in: 0...200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) } }
            for _ in 0...Int.random(in: 0...4, using: &random) where !bytes.isEmpty {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0...3, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: at)
                case 2: bytes.insert(bytes[at], at: at)
                default: bytes.replaceSubrange(at..<min(bytes.count, at + 8), with: Array("null".utf8))
                }
            }
            try body(bytes)
        }
    }
}
