/// Codes of `parquet.thrift` that are used here.
enum Encoding { static let plain = 0, rle = 3, rleDictionary = 8 }
enum PageType { static let data = 0, dictionary = 2, dataV2 = 3 }

extension ParquetOptions.Codec {
    /// Source: `parquet.thrift`, enum CompressionCodec.
    var code: Int {
        switch self {
        case .none: 0
        case .snappy: 1
        case .gzip: 2
        case .zstd: 6
        case .lz4: 7
        }
    }
}

/// What comes before every page. Source: `parquet.thrift`, PageHeader.
struct PageHeader {
    enum Kind {
        case dictionary(values: Int)
        case data(values: Int, encoding: Int)
        case dataV2(values: Int, nulls: Int, rows: Int, encoding: Int, definitionBytes: Int, repetitionBytes: Int, compressed: Bool)
    }

    var kind: Kind
    var uncompressedBytes: Int
    var storedBytes: Int
    var checksum: UInt?

    func write(to thrift: inout ThriftWriter) {
        thrift.element { out in
            switch kind {
            case .dictionary: out.i32(1, PageType.dictionary)
            case .data: out.i32(1, PageType.data)
            case .dataV2: out.i32(1, PageType.dataV2)
            }
            out.i32(2, uncompressedBytes)
            out.i32(3, storedBytes)
            if let checksum { out.i32(4, Int(Int32(truncatingIfNeeded: checksum))) }
            switch kind {
            case .dictionary(let values):
                out.structure(7) {
                    $0.i32(1, values)
                    $0.i32(2, Encoding.plain)
                }
            case .data(let values, let encoding):
                out.structure(5) {
                    $0.i32(1, values)
                    $0.i32(2, encoding)
                    $0.i32(3, Encoding.rle)
                    $0.i32(4, Encoding.rle)
                }
            case .dataV2(let values, let nulls, let rows, let encoding, let definitionBytes, let repetitionBytes, let compressed):
                out.structure(8) {
                    $0.i32(1, values)
                    $0.i32(2, nulls)
                    $0.i32(3, rows)
                    $0.i32(4, encoding)
                    $0.i32(5, definitionBytes)
                    $0.i32(6, repetitionBytes)
                    $0.bool(7, compressed)
                }
            }
        }
    }
}
