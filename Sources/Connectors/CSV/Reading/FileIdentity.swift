import ConnectAPI
import Glibc

/// What tells one file from another of the same name: a checksum of how it begins.
///
/// A copy of the file elsewhere, or one that grew, is the same file; one whose first bytes changed is another.
struct FileIdentity: Sendable, Hashable, CustomStringConvertible {
    let length: Int
    let checksum: UInt64

    private static let longest = 64 << 10

    /// Of the file as it stands: its first 64 KiB, or as many bytes as `length` says; nil: it is shorter.
    init?(of path: String, length: Int? = nil) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: min(length ?? Self.longest, Self.longest)), count = 0
        while count < bytes.count {
            let wanted = bytes.count - count
            let got = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress! + count, wanted, off_t(count)) }
            if got <= 0 { break }
            count += got
        }
        if let length, count < length { return nil }
        self.length = count
        // FNV-1a: this guards against mistakes, not against malice.
        checksum = bytes[..<count].reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    init?(_ text: String) {
        let parts = text.split(separator: ":")
        guard parts.count == 2, let length = Int(parts[0]), length >= 0, let checksum = UInt64(parts[1], radix: 16) else { return nil }
        self.length = length
        self.checksum = checksum
    }

    var description: String { "\(length):\(String(checksum, radix: 16))" }

    /// Whether the file at `path` begins as this one did.
    func matches(_ path: String) -> Bool { FileIdentity(of: path, length: length) == self }
}
