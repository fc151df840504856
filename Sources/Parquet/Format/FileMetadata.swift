/// One finished row group.
struct RowGroupRecord {
    var rows: Int
    var chunks: [ColumnChunkRecord]
}

/// The footer. Source: `parquet.thrift`, FileMetaData.
struct FileMetadata {
    var elements: [SchemaElement]
    var leafCount: Int
    var groups: [RowGroupRecord]
    var pairs: [(key: String, value: String)]

    func write(to thrift: inout ThriftWriter, _ options: ParquetOptions) {
        thrift.element { out in
            // There is no agreement on what version 2 means; the format asks writers for 1.
            out.i32(1, 1)
            out.structures(2, elements) { $1.write(to: &$0) }
            out.i64(3, groups.reduce(0) { $0 + $1.rows })
            out.structures(4, Array(groups.enumerated())) { out, item in
                let (ordinal, group) = item
                out.structures(1, group.chunks) { $1.write(to: &$0, options) }
                out.i64(2, group.chunks.reduce(0) { $0 + $1.uncompressedBytes })
                out.i64(3, group.rows)
                if let first = group.chunks.first { out.i64(5, first.dictionaryOffset ?? first.dataOffset) }
                out.i64(6, group.chunks.reduce(0) { $0 + $1.storedBytes })
                if let ordinal = Int16(exactly: ordinal) { out.i16(7, ordinal) }
            }
            if !pairs.isEmpty {
                out.structures(5, pairs) {
                    $0.string(1, $1.key)
                    $0.string(2, $1.value)
                }
            }
            out.string(6, options.createdBy)
            // Every column has the order its type defines. Without this readers must ignore the bounds of strings.
            out.structures(7, Array(0..<leafCount)) { out, _ in out.emptyStructure(1) }
        }
    }
}
