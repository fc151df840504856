import ConnectAPI

/// One CopyData message of the replication protocol, in either direction.
///
/// Times on the wire are microseconds since 2000-01-01; here they are microseconds since 1970-01-01.
/// Follows "Streaming Replication Protocol" of the PostgreSQL manual.
enum ReplicationFrame {
    /// `payload` is the range of the frame that holds one output-plugin message.
    case data(XLogData)
    case keepalive(Keepalive)

    struct XLogData {
        /// The LSN of a change; 0 for Relation, Type and Origin messages.
        let start: UInt64
        let walEnd: UInt64
        let sendMicros: Int64
        let payload: Range<Int>
    }

    struct Keepalive {
        let walEnd: UInt64
        let sendMicros: Int64
        let replyRequested: Bool
    }

    @inline(__always) static func parse(_ bytes: UnsafeRawBufferPointer) throws -> ReplicationFrame {
        var cursor = ByteCursor(bytes)
        do throws(MalformedMessage) {
            switch try cursor.uint8() {
            case UInt8(ascii: "w"):
                let start = try cursor.uint64(), end = try cursor.uint64(), sent = try cursor.int64()
                return .data(
                    XLogData(
                        start: start, walEnd: end, sendMicros: sent &+ PostgresEpoch.micros, payload: cursor.position..<bytes.count))
            case UInt8(ascii: "k"):
                let end = try cursor.uint64(), sent = try cursor.int64(), reply = try cursor.uint8()
                return .keepalive(Keepalive(walEnd: end, sendMicros: sent &+ PostgresEpoch.micros, replyRequested: reply != 0))
            default: throw MalformedMessage(at: 0, of: bytes.count)
            }
        } catch {
            throw error.located(in: "replication frame")
        }
    }

    /// A standby status update: what the client has received, made durable and applied, each as the LSN after the last byte.
    static func statusUpdate(written: UInt64, flushed: UInt64, applied: UInt64, nowMicros: Int64, replyRequested: Bool = false) -> [UInt8] {
        var out: [UInt8] = [UInt8(ascii: "r")]
        out.reserveCapacity(34)
        for value in [written, flushed, applied, UInt64(bitPattern: nowMicros &- PostgresEpoch.micros)] {
            withUnsafeBytes(of: value.bigEndian) { out.append(contentsOf: $0) }
        }
        out.append(replyRequested ? 1 : 0)
        return out
    }
}

/// PostgreSQL counts days and microseconds from 2000-01-01T00:00:00Z.
enum PostgresEpoch {
    static let days: Int32 = 10_957
    static let micros: Int64 = 946_684_800_000_000
}
