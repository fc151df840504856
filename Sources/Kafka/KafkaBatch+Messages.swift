internal import CRdKafka
import ConnectAPI

extension KafkaBatch {
    /// A place to point to where there are no bytes: to librdkafka, no pointer is a null.
    // Never read, never freed.
    private nonisolated(unsafe) static let nowhere = UnsafeRawPointer(UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1))

    /// Gives every row as librdkafka takes it; ends when the body says false. Returns how many rows it took. `headers` are the body's to use
    /// or destroy.
    func forEachMessage(
        _ body: (
            _ row: Int, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ timestamp: Int64, _ headers: OpaquePointer?
        ) -> Bool
    ) -> Int {
        withBytes(key) { key in
            withBytes(value) { value in
                for row in 0..<count {
                    let time: Int64
                    switch timestamps.storage {
                    case .int64(let all): time = all[row]
                    default: time = timestamps[row].integerValue ?? 0
                    }
                    // 0 is "now" to librdkafka, so 1970 itself becomes the millisecond after.
                    guard body(row, key(row), value(row), time == 0 ? 1 : time, messageHeaders(row)) else { return row }
                }
                return count
            }
        }
    }

    private func withBytes<R>(_ bytes: Bytes?, _ body: ((Int) -> UnsafeRawBufferPointer) -> R) -> R {
        let null = UnsafeRawBufferPointer(start: nil, count: 0)
        guard let bytes else { return body { _ in null } }
        return bytes.values.bytes.withUnsafeBytes { all in
            let base = all.baseAddress ?? Self.nowhere
            if let present = bytes.present {
                return body { row in
                    guard present[row] else { return null }
                    let range = bytes.values.range(row)
                    return UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count)
                }
            }
            return body { row in
                let range = bytes.values.range(row)
                return UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count)
            }
        }
    }

    private func messageHeaders(_ row: Int) -> OpaquePointer? {
        guard !headers.isEmpty else { return nil }
        let out = rd_kafka_headers_new(headers.count)
        for header in headers where header.rows.map({ $0[row] }) ?? true {
            withBytes(header.bytes) { bytes in
                let value = bytes(row)
                _ = rd_kafka_header_add(out, header.name, -1, value.baseAddress, value.count)
            }
        }
        return out
    }
}
