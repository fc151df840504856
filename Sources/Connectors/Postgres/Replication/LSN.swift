/// Log sequence numbers: plain 64-bit positions in the write-ahead log, written `16/B374D848` by PostgreSQL and as decimal integers in offsets.
enum LSN {
    static func parse(_ text: String) -> UInt64? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let high = UInt32(parts[0], radix: 16), let low = UInt32(parts[1], radix: 16) else { return nil }
        return UInt64(high) << 32 | UInt64(low)
    }

    static func text(_ lsn: UInt64) -> String {
        "\(String(lsn >> 32, radix: 16, uppercase: true))/\(String(lsn & 0xFFFF_FFFF, radix: 16, uppercase: true))"
    }
}
