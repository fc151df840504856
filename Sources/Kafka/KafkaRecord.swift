package import ConnectAPI

/// One record, for internal topics and tests. The data path sends `KafkaBatch`es.
package struct KafkaRecord: Sendable, Hashable {
    package struct Header: Sendable, Hashable {
        package let name: String
        package let value: [UInt8]?
        package init(_ name: String, _ value: [UInt8]?) {
            self.name = name
            self.value = value
        }
    }
    package var topic: String
    /// nil: by the key, as Java's default partitioner does.
    package var partition: Int32?
    package var key: [UInt8]?
    package var value: [UInt8]?
    package var headers: [Header]
    /// Milliseconds since 1970; nil: now.
    package var timestamp: Int64?

    package init(topic: String, partition: Int32? = nil, key: [UInt8]?, value: [UInt8]?, headers: [Header] = [], timestamp: Int64? = nil) {
        self.topic = topic
        self.partition = partition
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
    }
}

/// Records of one topic, rendered: keys, values and headers as columns of bytes.
package struct KafkaBatch: Sendable {
    /// Byte strings row by row; `present` says which rows have one, nil: all.
    package struct Bytes: Sendable {
        package var values: VarBytes
        package var present: Bitmap?
        package init(_ values: VarBytes, present: Bitmap? = nil) {
            self.values = values
            self.present = present
        }
    }
    /// A header that some or all rows have; a row of `rows` has it, with null where `bytes` has none.
    package struct Header: Sendable {
        package let name: String
        package let bytes: Bytes
        package let rows: Bitmap?
        package init(_ name: String, _ bytes: Bytes, rows: Bitmap?) {
            self.name = name
            self.bytes = bytes
            self.rows = rows
        }
    }
    package var topic: String
    package var partition: Int32?
    package let count: Int
    /// nil: null in every row.
    package var key: Bytes?
    package var value: Bytes?
    package var headers: [Header]
    /// Milliseconds since 1970, INT64.
    package var timestamps: Column

    package init(
        topic: String, partition: Int32? = nil, count: Int, key: Bytes?, value: Bytes?, headers: [Header] = [], timestamps: Column
    ) {
        self.topic = topic
        self.partition = partition
        self.count = count
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamps = timestamps
    }

    package var byteCount: Int {
        let headerBytes = headers.reduce(0) { $0 + $1.bytes.values.bytes.count + $1.name.utf8.count * count }
        return (key?.values.bytes.count ?? 0) + (value?.values.bytes.count ?? 0) + headerBytes + count * 64
    }

    package init(_ record: KafkaRecord) {
        func bytes(_ b: [UInt8]?) -> Bytes? { b.map { Bytes(VarBytes(offsets: [0, Int32($0.count)], bytes: $0)) } }
        let absent = Bytes(VarBytes(offsets: [0, 0]), present: Bitmap(repeating: false, count: 1))
        self.init(
            topic: record.topic, partition: record.partition, count: 1, key: bytes(record.key), value: bytes(record.value),
            headers: record.headers.map { Header($0.name, bytes($0.value) ?? absent, rows: nil) },
            timestamps: .constant(.integer(record.timestamp ?? WallClock.milliseconds), RecordBatch.timestampSchema, count: 1))
    }
}
