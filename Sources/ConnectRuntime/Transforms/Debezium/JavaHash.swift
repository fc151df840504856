import ConnectAPI

/// `Object.hashCode` of the Java object Kafka Connect has for a value.
enum JavaHash {
    static func hash(_ value: Value, _ schema: Schema) -> Int32 {
        switch value {
        case .null: return 0
        case .boolean(let bit): return bit ? 1231 : 1237
        case .integer(let number):
            switch schema.name {
            // java.util.Date: milliseconds.
            case LogicalName.connectDate: return long(number &* 86_400_000)
            case LogicalName.connectTime, LogicalName.connectTimestamp: return long(number)
            default: return schema.type == .int64 ? long(number) : Int32(truncatingIfNeeded: number)
            }
        case .float(let number): return number.isNaN ? 0x7FC0_0000 : Int32(bitPattern: number.bitPattern)
        case .double(let number): return long(number.isNaN ? 0x7FF8_0000_0000_0000 : Int64(bitPattern: number.bitPattern))
        case .string(let text): return text.utf16.reduce(0) { $0 &* 31 &+ Int32($1) }
        case .bytes(let bytes):
            if schema.name == LogicalName.decimal { return decimal(bytes, scale: schema.parameter("scale").flatMap { Int32($0) } ?? 0) }
            // A Java array hashes its address, which places nothing twice alike; its contents are what was meant.
            return bytes.reduce(1) { $0 &* 31 &+ Int32(Int8(bitPattern: $1)) }
        case .array(let items): return items.reduce(1) { $0 &* 31 &+ hash($1, schema.element ?? schema) }
        case .map(let entries):
            return entries.reduce(0) { $0 &+ (hash($1.key, schema.key ?? schema) ^ hash($1.value, schema.element ?? schema)) }
        case .struct(let members):
            return zip(members, schema.fields).reduce(1) { $0 &* 31 &+ hash($1.0, $1.1.schema) }
        }
    }

    private static func long(_ number: Int64) -> Int32 { Int32(truncatingIfNeeded: number ^ Int64(bitPattern: UInt64(bitPattern: number) >> 32)) }

    /// `BigDecimal.hashCode`: that of the unscaled value, times 31, and the scale.
    private static func decimal(_ unscaled: [UInt8], scale: Int32) -> Int32 {
        let isNegative = (unscaled.first ?? 0) >> 7 == 1
        var magnitude = unscaled
        if isNegative {
            var carry = true
            for i in magnitude.indices.reversed() {
                magnitude[i] = ~magnitude[i] &+ (carry ? 1 : 0)
                carry = carry && magnitude[i] == 0
            }
        }
        let digits = magnitude.drop { $0 == 0 }
        var words: [UInt32] = [], word: UInt32 = 0
        for (i, byte) in digits.enumerated() {
            word = word << 8 | UInt32(byte)
            if (digits.count - i - 1) % 4 == 0 {
                words.append(word)
                word = 0
            }
        }
        let hash = words.reduce(Int32(0)) { $0 &* 31 &+ Int32(bitPattern: $1) }
        return 31 &* (isNegative ? 0 &- hash : hash) &+ scale
    }
}
