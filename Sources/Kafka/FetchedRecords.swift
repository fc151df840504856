internal import CRdKafka
package import ConnectAPI
import Glibc

/// Consecutive records of a partition, as columns of bytes. Copied once, out of librdkafka's messages.
package struct FetchedRecords: Sendable {
    package let partition: TopicPartition
    /// Row `i` is record `firstOffset + i`.
    package let firstOffset: Int64
    package let count: Int
    /// nil: null in every row.
    package let key: KafkaBatch.Bytes?
    package let value: KafkaBatch.Bytes?
    /// Milliseconds since 1970.
    package let timestamps: [Int64]
    package let headers: [KafkaBatch.Header]

    package var nextOffset: Int64 { firstOffset + Int64(count) }
    package var byteCount: Int { (key?.values.bytes.count ?? 0) + (value?.values.bytes.count ?? 0) + count * 16 }

    /// Without its first rows; nil when none is left.
    package func dropping(_ rows: Int) -> FetchedRecords? {
        guard rows < count else { return nil }
        func rest(_ bytes: KafkaBatch.Bytes) -> KafkaBatch.Bytes {
            let first = Int(bytes.values.offsets[rows])
            let offsets = bytes.values.offsets[rows...].map { $0 - Int32(first) }
            return .init(
                VarBytes(offsets: offsets, bytes: Array(bytes.values.bytes[first...])), present: bytes.present?.slice(rows..<count))
        }
        return FetchedRecords(
            partition: partition, firstOffset: firstOffset + Int64(rows), count: count - rows, key: key.map(rest), value: value.map(rest),
            timestamps: Array(timestamps[rows...]), headers: headers.map { .init($0.name, rest($0.bytes), rows: $0.rows?.slice(rows..<count)) })
    }

    /// One record, for internal topics.
    package func record(_ row: Int) -> KafkaRecord {
        func bytes(_ b: KafkaBatch.Bytes?) -> [UInt8]? { b.flatMap { $0.present.map { $0[row] } ?? true ? Array($0.values[row]) : nil } }
        return KafkaRecord(
            topic: partition.topic, partition: partition.partition, key: bytes(key), value: bytes(value),
            headers: headers.filter { $0.rows.map { $0[row] } ?? true }.map { .init($0.name, bytes($0.bytes)) }, timestamp: timestamps[row])
    }
}

/// Sorts librdkafka's messages into runs of consecutive records.
struct FetchCollector {
    private(set) var byteCount = 0

    typealias Message = UnsafeMutablePointer<rd_kafka_message_t>

    mutating func add(_ messages: ArraySlice<Message?>, to polled: inout KafkaConsumer.Polled) {
        var start = messages.startIndex
        for i in messages.indices {
            guard let message = messages[i] else { continue }
            if message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR {
                close(messages[start..<i], &polled)
                start = i + 1
                addEvent(message, &polled)
            } else if i > start, !follows(messages[i - 1]!, message) {
                close(messages[start..<i], &polled)
                start = i
            }
        }
        close(messages[start..<messages.endIndex], &polled)
    }

    private func follows(_ a: Message, _ b: Message) -> Bool {
        a.pointee.rkt == b.pointee.rkt && a.pointee.partition == b.pointee.partition && a.pointee.offset + 1 == b.pointee.offset
    }

    private func place(_ message: Message) -> TopicPartition? {
        message.pointee.rkt.map { TopicPartition(String(cString: rd_kafka_topic_name($0)), message.pointee.partition) }
    }

    private func addEvent(_ message: Message, _ polled: inout KafkaConsumer.Polled) {
        let code = message.pointee.err, place = place(message)
        if code == RD_KAFKA_RESP_ERR__PARTITION_EOF {
            if let place { polled.ends[place] = message.pointee.offset }
        } else {
            let detail = rd_kafka_message_errstr(message).map { String(cString: $0) }
            polled.errors.append(KafkaError.make(code, "read \(place?.description ?? "from Kafka")", detail: detail))
        }
    }

    private mutating func close(_ run: ArraySlice<Message?>, _ polled: inout KafkaConsumer.Polled) {
        guard let first = run.first, let first, let place = place(first) else { return }
        let key = bytes(run, { ($0.pointee.key, $0.pointee.key_len) }), value = bytes(run, { ($0.pointee.payload, $0.pointee.len) })
        var timestamps: [Int64] = []
        timestamps.reserveCapacity(run.count)
        var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        for message in run { timestamps.append(max(0, rd_kafka_message_timestamp(message, &type))) }
        let records = FetchedRecords(
            partition: place, firstOffset: first.pointee.offset, count: run.count, key: key, value: value, timestamps: timestamps, headers: headers(run))
        byteCount += records.byteCount
        polled.records.append(records)
    }

    /// nil when no row has bytes.
    private func bytes(_ run: ArraySlice<Message?>, _ get: (Message) -> (UnsafeMutableRawPointer?, Int)) -> KafkaBatch.Bytes? {
        var total = 0, absent = 0
        for message in run {
            let (pointer, count) = get(message!)
            if pointer == nil { absent += 1 } else { total += count }
        }
        if absent == run.count { return nil }
        var offsets: [Int32] = [0], present = absent > 0 ? Bitmap(repeating: true, count: run.count) : nil
        offsets.reserveCapacity(run.count + 1)
        let all = [UInt8](unsafeUninitializedCapacity: total) { buffer, initialized in
            for (row, message) in run.enumerated() {
                let (pointer, count) = get(message!)
                if let pointer {
                    if count > 0 { memcpy(buffer.baseAddress! + initialized, pointer, count) }
                    initialized += count
                } else {
                    present?[row] = false
                }
                offsets.append(Int32(initialized))
            }
        }
        return KafkaBatch.Bytes(VarBytes(offsets: offsets, bytes: all), present: present)
    }

    // MARK: Headers

    /// A column of headers under construction; `next` is the first row without a value.
    private struct Building {
        let name: String
        var values = VarBytes()
        var rows = Bitmap()
        var present = Bitmap()

        mutating func append(_ value: UnsafeRawBufferPointer?, row: Int) {
            skip(to: row)
            if let value { values.append(value) } else { values.appendEmpty() }
            rows.append(true)
            present.append(value != nil)
        }
        mutating func skip(to row: Int) {
            while values.count < row {
                values.appendEmpty()
                rows.append(false)
                present.append(false)
            }
        }
    }

    /// Headers by name, every record's in its own order: a name has several columns where records bear it twice or in another order.
    private func headers(_ run: ArraySlice<Message?>) -> [KafkaBatch.Header] {
        var columns: [Building] = []
        for (row, message) in run.enumerated() {
            var list: OpaquePointer?
            guard rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { continue }
            var index = 0, from = 0
            var name: UnsafePointer<CChar>?, value: UnsafeRawPointer?, size = 0
            while rd_kafka_header_get_all(list, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR, let name {
                let bytes = value.map { UnsafeRawBufferPointer(start: $0, count: size) }
                // A column that stands before others of this record would turn the order around: then it gets another one.
                let at = columns[from...].firstIndex { strcmp($0.name, name) == 0 } ?? from
                if at == columns.count || strcmp(columns[at].name, name) != 0 { columns.insert(Building(name: String(cString: name)), at: at) }
                columns[at].append(bytes, row: row)
                from = at + 1
                index += 1
            }
        }
        return columns.map { column in
            var column = column
            column.skip(to: run.count)
            return KafkaBatch.Header(
                column.name, .init(column.values, present: column.present.allSet ? nil : column.present), rows: column.rows.allSet ? nil : column.rows)
        }
    }
}
