import Foundation
import JSON
import Testing

/// `Golden/java-17-numbers.txt` was printed by Java 17: `d` or `f`, the raw bits in hexadecimal, the text of `toString`.
@Suite struct JavaNumberTests {
    static func lines() throws -> [[Substring]] {
        let url = Bundle.module.url(forResource: "java-17-numbers", withExtension: "txt", subdirectory: "Golden")!
        return try String(contentsOf: url, encoding: .utf8).split(separator: "\n").map { $0.split(separator: " ") }
    }

    @Test func doublesPrintAsJava17PrintsThem() throws {
        for line in try Self.lines() where line[0] == "d" {
            #expect(JavaNumber.string(Double(bitPattern: UInt64(line[1], radix: 16)!)) == line[2])
        }
    }

    @Test func floatsPrintAsJava17PrintsThem() throws {
        for line in try Self.lines() where line[0] == "f" {
            #expect(JavaNumber.string(Float(bitPattern: UInt32(line[1], radix: 16)!)) == line[2])
        }
    }
}
