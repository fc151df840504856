/// What the footer and the page index tell of one written column chunk.
struct ColumnChunkRecord {
    var leaf: Leaf
    /// Offsets are from the start of the file.
    var dictionaryOffset: Int?
    var dataOffset: Int
    /// Headers included.
    var storedBytes: Int
    var uncompressedBytes: Int
    var pages: [PageRecord]
    var dataPages: [(encoding: Int, count: Int)]

    /// Set when the row group has been written.
    var bloomFilter: (offset: Int, length: Int)?
    /// Set when the page index has been written.
    var columnIndex: (offset: Int, length: Int)?
    var offsetIndex: (offset: Int, length: Int)?

    var values: Int { pages.reduce(0) { $0 + $1.values } }
    var nulls: Int { pages.reduce(0) { $0 + $1.nulls } }

    /// Bounds of all pages; nil when no page has any.
    var bounds: Bounds? {
        var out: Bounds?
        for bounds in pages.lazy.compactMap(\.bounds) {
            guard let known = out else {
                out = bounds
                continue
            }
            if leaf.isLess(bounds.min, known.min) { out!.min = bounds.min }
            if leaf.isLess(known.max, bounds.max) { out!.max = bounds.max }
        }
        return out
    }

    /// Source: `parquet.thrift`, ColumnChunk and ColumnMetaData.
    func write(to thrift: inout ThriftWriter, _ options: ParquetOptions) {
        thrift.i64(2, 0)
        thrift.structure(3) { out in
            out.i32(1, leaf.physical.rawValue)
            var encodings = Set(dataPages.map(\.encoding))
            if dictionaryOffset != nil { encodings.insert(Encoding.plain) }
            if leaf.maxDefinition + leaf.maxRepetition > 0 { encodings.insert(Encoding.rle) }
            out.i32s(2, encodings.sorted())
            out.strings(3, leaf.path)
            out.i32(4, options.codec.code)
            out.i64(5, values)
            out.i64(6, uncompressedBytes)
            out.i64(7, storedBytes)
            out.i64(9, dataOffset)
            if let dictionaryOffset { out.i64(11, dictionaryOffset) }
            if options.statistics { out.structure(12) { writeStatistics(to: &$0, options) } }
            let dataPageType = options.pageVersion == .v1 ? PageType.data : PageType.dataV2
            var statistics = dataPages.map { (page: dataPageType, encoding: $0.encoding, count: $0.count) }
            if dictionaryOffset != nil { statistics.insert((PageType.dictionary, Encoding.plain, 1), at: 0) }
            out.structures(13, statistics) {
                $0.i32(1, $1.page)
                $0.i32(2, $1.encoding)
                $0.i32(3, $1.count)
            }
            if let bloomFilter {
                out.i64(14, bloomFilter.offset)
                out.i32(15, bloomFilter.length)
            }
        }
        if let offsetIndex {
            thrift.i64(4, offsetIndex.offset)
            thrift.i32(5, offsetIndex.length)
        }
        if let columnIndex {
            thrift.i64(6, columnIndex.offset)
            thrift.i32(7, columnIndex.length)
        }
    }

    private func writeStatistics(to out: inout ThriftWriter, _ options: ParquetOptions) {
        let limited = bounds.map { leaf.limited($0, options) }
        out.i64(3, nulls)
        guard let limited else { return }
        out.bytes(5, limited.bounds.max)
        out.bytes(6, limited.bounds.min)
        out.bool(7, limited.maxIsExact)
        out.bool(8, limited.minIsExact)
    }

    // MARK: Page index

    /// Source: `parquet.thrift`, OffsetIndex.
    func writeOffsetIndex(to thrift: inout ThriftWriter) {
        thrift.element { out in
            out.structures(1, pages) {
                $0.i64(1, dataOffset + $1.offset)
                $0.i32(2, $1.storedBytes)
                $0.i64(3, $1.firstRow)
            }
        }
    }

    /// A column index needs bounds for every page with values; a page of NaNs alone has none.
    var hasColumnIndex: Bool { pages.allSatisfy { $0.bounds != nil || $0.nulls == $0.values } }

    /// Source: `parquet.thrift`, ColumnIndex.
    func writeColumnIndex(to thrift: inout ThriftWriter, _ options: ParquetOptions) {
        let limited = pages.map { $0.bounds.map { leaf.limited($0, options).bounds } }
        thrift.element { out in
            out.bools(1, limited.map { $0 == nil })
            out.binaries(2, limited.map { $0?.min ?? [] })
            out.binaries(3, limited.map { $0?.max ?? [] })
            out.i32(4, boundaryOrder(limited.compactMap { $0 }))
            out.i64s(5, pages.map(\.nulls))
        }
    }

    /// 0: none, 1: minima and maxima ascend, 2: they descend.
    private func boundaryOrder(_ bounds: [Bounds]) -> Int {
        func holds(_ outOfOrder: (Bounds, Bounds) -> Bool) -> Bool { !zip(bounds, bounds.dropFirst()).contains { outOfOrder($0, $1) } }
        if holds({ leaf.isLess($1.min, $0.min) || leaf.isLess($1.max, $0.max) }) { return 1 }
        if holds({ leaf.isLess($0.min, $1.min) || leaf.isLess($0.max, $1.max) }) { return 2 }
        return 0
    }
}

extension Leaf {
    /// The order of bounds in their PLAIN form.
    func isLess(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        switch physical {
        case .boolean: a[0] < b[0]
        case .int32: Self.number(a, Int32.self) < Self.number(b, Int32.self)
        case .int64: Self.number(a, Int64.self) < Self.number(b, Int64.self)
        case .float: Self.number(a, Float.self) < Self.number(b, Float.self)
        case .double: Self.number(a, Double.self) < Self.number(b, Double.self)
        case .byteArray, .fixedBytes:
            a.withUnsafeBytes { a in b.withUnsafeBytes { (order == .signedBytes ? BytesOrder.signed : .unsigned).less(a, $0) } }
        }
    }

    private static func number<T: FixedValue>(_ bytes: [UInt8], _: T.Type) -> T {
        T(word: bytes.reversed().reduce(0) { $0 << 8 | T.Word($1) })
    }

    /// Bounds cut to the length that options allow. Numbers, and decimals in bytes, are never cut.
    func limited(_ bounds: Bounds, _ options: ParquetOptions) -> (bounds: Bounds, minIsExact: Bool, maxIsExact: Bool) {
        guard physical == .byteArray else { return (bounds, true, true) }
        let text = logical == .string || logical == .json
        return bounds.truncated(to: options.statisticsBytes, text: text)
    }
}
