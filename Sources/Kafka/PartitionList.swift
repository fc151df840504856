internal import CRdKafka
import ConnectAPI
import Glibc

/// librdkafka's list of partitions with offsets, owned.
// @unchecked: made, filled and given to one call; then only read.
final class PartitionList: @unchecked Sendable {
    private let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    /// Takes the pointer over.
    init(owning pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) { self.pointer = pointer }

    init(_ offsets: [TopicPartition: Int64]) {
        pointer = rd_kafka_topic_partition_list_new(Int32(offsets.count))
        for (partition, offset) in offsets.sorted(by: { $0.key < $1.key }) {
            rd_kafka_topic_partition_list_add(pointer, partition.topic, partition.partition).pointee.offset = offset
        }
    }

    convenience init(_ partitions: some Sequence<TopicPartition>, at offset: Int64 = Int64(RD_KAFKA_OFFSET_INVALID)) {
        self.init(Dictionary(partitions.map { ($0, offset) }, uniquingKeysWith: { $1 }))
    }

    deinit { rd_kafka_topic_partition_list_destroy(pointer) }

    /// The list, alive for the time of `body`: the optimizer ends an object's life at its last use, not at the end of a scope.
    func withPointer<R>(_ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) throws -> R) rethrows -> R {
        try withExtendedLifetime(self) { try body(pointer) }
    }

    private var entries: UnsafeMutableBufferPointer<rd_kafka_topic_partition_t> {
        UnsafeMutableBufferPointer(start: pointer.pointee.elems, count: Int(pointer.pointee.cnt))
    }

    var partitions: [TopicPartition] { withExtendedLifetime(self) { entries.map(\.topicPartition) } }

    /// The offsets of the entries that have one.
    var offsets: [TopicPartition: Int64] {
        withExtendedLifetime(self) {
            Dictionary(entries.filter { $0.offset >= 0 }.map { ($0.topicPartition, $0.offset) }, uniquingKeysWith: { $1 })
        }
    }

    /// Throws the first entry's error.
    func check(_ what: String) throws {
        try withExtendedLifetime(self) {
            for entry in entries { try KafkaError.check(entry.err, "\(what) \(entry.topicPartition)") }
        }
    }

    /// Text kept beside an offset, to be committed with it.
    func setMetadata(_ text: [TopicPartition: String]) {
        withExtendedLifetime(self) {
            for i in entries.indices {
                guard let value = text[entries[i].topicPartition], !value.isEmpty else { continue }
                // librdkafka frees it with the list.
                entries[i].metadata = UnsafeMutableRawPointer(strdup(value))
                entries[i].metadata_size = value.utf8.count
            }
        }
    }

    var metadata: [TopicPartition: String] {
        withExtendedLifetime(self) {
            var out: [TopicPartition: String] = [:]
            for entry in entries where entry.metadata != nil && entry.metadata_size > 0 {
                out[entry.topicPartition] = String(decoding: UnsafeRawBufferPointer(start: entry.metadata, count: entry.metadata_size), as: UTF8.self)
            }
            return out
        }
    }
}

extension rd_kafka_topic_partition_t {
    var topicPartition: TopicPartition { TopicPartition(String(cString: topic), partition) }
}
