import ConnectAPI

/// The values and levels of one leaf for a run of rows, as the shredder hands them over.
struct LeafBlock {
    /// The slots of the leaf: one a row, or one an element below lists.
    var slots: Int
    var definition: Levels
    /// Nil when every slot is a row: the leaf is below no list, or everything down to its first list is null.
    var repetition: [UInt8]?
    var values: DenseValues
}

/// A place between two rows of a block.
struct BlockCursor {
    var slot = 0
    var value = 0
}

/// One page as the column index and the offset index tell of it.
struct PageRecord {
    /// From the start of the chunk's data pages.
    var offset: Int
    /// Header included.
    var storedBytes: Int
    var firstRow: Int
    var rows: Int
    var values: Int
    var nulls: Int
    var bounds: Bounds?
}

/// Encodes one leaf of one row group: cuts pages at rows, keeps finished pages compressed, and gives the whole chunk in the end.
final class ColumnChunkWriter {
    let leaf: Leaf
    private let options: ParquetOptions
    private let encoder: any ValueEncoder
    private let definitionWidth: Int
    private let repetitionWidth: Int

    /// nil: the column gets none.
    private var filter: BloomFilter?

    private var definition = LevelBuffer()
    private var repetition = LevelBuffer()
    private var openRows = 0
    private var openValues = 0

    private var pages = ByteBuffer()
    private var records: [PageRecord] = []
    private var encodings: [Int: Int] = [:]
    private var rows = 0
    private var uncompressedBytes = 0

    init(_ leaf: Leaf, _ options: ParquetOptions) {
        self.leaf = leaf
        self.options = options
        let limits = EncoderLimits(dictionary: options.dictionary, dictionaryBytes: options.dictionaryBytes, bounds: options.statistics)
        encoder =
            switch leaf.physical {
            case .boolean: BooleanEncoder(limits)
            case .int32: FixedEncoder<Int32>(limits)
            case .int64: FixedEncoder<Int64>(limits)
            case .float: FixedEncoder<Float>(limits)
            case .double: FixedEncoder<Double>(limits)
            case .byteArray: BytesEncoder(limits, order: .unsigned, prefixed: true)
            case .fixedBytes: BytesEncoder(limits, order: leaf.order == .signedBytes ? .signed : .unsigned, prefixed: false)
            }
        if options.wantsBloomFilter(leaf) { filter = BloomFilter(falsePositives: options.bloomFalsePositives) }
        definitionWidth = HybridEncoder.width(of: leaf.maxDefinition)
        repetitionWidth = HybridEncoder.width(of: leaf.maxRepetition)
    }

    private var maxDefinition: UInt8 { UInt8(leaf.maxDefinition) }

    var memory: Int { encoder.memory + definition.memory + repetition.memory + pages.capacity + records.count * 128 + (filter?.memory ?? 0) }

    /// What the chunk would take if it ended now.
    var encodedBytes: Int {
        let stored = pages.count
        let open = encoder.pageCost + encoder.dictionaryBytes
        // The open page and the dictionary are expected to compress as the finished pages did.
        return stored + (uncompressedBytes > 0 ? open * stored / uncompressedBytes : open)
    }

    // MARK: Rows

    /// Appends `rows` rows of the block from the cursor on, and moves the cursor behind them.
    func append(_ block: LeafBlock, rows total: Int, from cursor: inout BlockCursor, _ scratch: EncoderScratch) throws(ConnectorError) {
        var left = total
        let first = cursor.value
        defer { filter?.insert(block.values, first..<cursor.value, leaf.physical) }
        while left > 0 {
            var (rows, slots) = rowsFitting(block, cursor.slot, left)
            var values = block.definition.count(of: maxDefinition, in: cursor.slot..<cursor.slot + slots)

            if values > 0 {
                let fitting = encoder.fitting(block.values, cursor.value..<cursor.value + values, limit: options.pageBytes)
                let taken = encoder.append(block.values, cursor.value..<cursor.value + fitting, unbounded: false)
                if taken < values || isPageFull {
                    // The page or the dictionary is full: the page ends with this row, whose other values still go in.
                    (rows, slots, values) = endOfRow(block, cursor, holding: taken)
                    if taken < values { _ = encoder.append(block.values, cursor.value + taken..<cursor.value + values, unbounded: true) }
                }
            }

            if leaf.maxDefinition > 0 { definition.append(block.definition, cursor.slot..<cursor.slot + slots) }
            if leaf.maxRepetition > 0 {
                repetition.append(block.repetition.map(Levels.each) ?? .uniform(0), cursor.slot..<cursor.slot + slots)
            }
            openRows += rows
            openValues += values
            cursor.slot += slots
            cursor.value += values
            left -= rows
            if isPageFull || openRows >= options.pageRows || openSlots >= slotLimit { try finishPage(scratch) }
        }
    }

    private var isPageFull: Bool { encoder.pageCost >= options.pageBytes || encoder.dictionaryIsFull }

    /// Nulls and empty lists take no bytes: a page of them below lists ends by its slots.
    private var slotLimit: Int { max(options.pageBytes, options.pageRows) }

    private var openSlots: Int { leaf.maxRepetition > 0 ? repetition.count : openRows }

    /// How many rows the page takes by its limits of rows and slots, and their slots.
    private func rowsFitting(_ block: LeafBlock, _ slot: Int, _ left: Int) -> (rows: Int, slots: Int) {
        let budget = slotLimit - openSlots
        let rows = min(left, options.pageRows - openRows)
        guard let repetition = block.repetition else { return (min(rows, budget), min(rows, budget)) }
        var end = slot, seen = 0
        while seen < rows && (seen == 0 || end - slot < budget) {
            end = endOfRow(repetition, end, block.slots)
            seen += 1
        }
        return (seen, end - slot)
    }

    private func endOfRow(_ repetition: [UInt8], _ slot: Int, _ slots: Int) -> Int {
        var end = slot + 1
        while end < slots && repetition[end] != 0 { end += 1 }
        return end
    }

    /// Rows, slots and values from the cursor to the end of the row that holds the `n`th value (n > 0).
    private func endOfRow(_ block: LeafBlock, _ cursor: BlockCursor, holding n: Int) -> (rows: Int, slots: Int, values: Int) {
        if block.repetition == nil, case .uniform = block.definition { return (n, n, n) }
        var slot = cursor.slot, rows = 0, values = 0
        while values < n {
            let end = block.repetition.map { endOfRow($0, slot, block.slots) } ?? slot + 1
            values += block.definition.count(of: maxDefinition, in: slot..<end)
            rows += 1
            slot = end
        }
        return (rows, slot - cursor.slot, values)
    }

    /// Adds what each of `rows` rows takes in PLAIN encoding to `sizes`.
    func measure(_ block: LeafBlock, rows: Int, into sizes: inout [Int]) {
        var slot = 0, value = 0
        for row in 0..<rows {
            let end = block.repetition.map { endOfRow($0, slot, block.slots) } ?? slot + 1
            let values = block.definition.count(of: maxDefinition, in: slot..<end)
            if values > 0 { sizes[row] += encoder.plainBytes(block.values, value..<value + values) }
            value += values
            slot = end
        }
    }

    /// What the values before the cursor take in PLAIN encoding.
    func plainBytes(_ block: LeafBlock, upTo cursor: BlockCursor) -> Int {
        cursor.value == 0 ? 0 : encoder.plainBytes(block.values, 0..<cursor.value)
    }

    // MARK: Pages

    private func finishPage(_ scratch: EncoderScratch) throws(ConnectorError) {
        guard openRows > 0 else { return }
        let slots = leaf.maxRepetition > 0 ? repetition.count : openRows
        scratch.page.removeAll()
        let v1 = options.pageVersion == .v1
        let repetitionBytes = leaf.maxRepetition > 0 ? finish(&repetition, repetitionWidth, prefixed: v1, &scratch.page) : 0
        let definitionBytes = leaf.maxDefinition > 0 ? finish(&definition, definitionWidth, prefixed: v1, &scratch.page) : 0
        let levelBytes = repetitionBytes + definitionBytes
        let encoded = encoder.finishPage(into: &scratch.page, scratch)
        encodings[encoded.encoding, default: 0] += 1

        let offset = pages.count
        if v1 {
            try store(.data(values: slots, encoding: encoded.encoding), plainPrefix: 0, scratch)
        } else {
            let kind = PageHeader.Kind.dataV2(
                values: slots, nulls: slots - openValues, rows: openRows, encoding: encoded.encoding, definitionBytes: definitionBytes,
                repetitionBytes: repetitionBytes, compressed: options.codec != .none)
            try store(kind, plainPrefix: levelBytes, scratch)
        }
        records.append(
            PageRecord(
                offset: offset, storedBytes: pages.count - offset, firstRow: rows, rows: openRows, values: slots, nulls: slots - openValues,
                bounds: encoded.bounds))
        rows += openRows
        openRows = 0
        openValues = 0
    }

    /// Encodes levels, in version 1 of pages after their length. Returns their bytes, the length not counted.
    private func finish(_ levels: inout LevelBuffer, _ width: Int, prefixed: Bool, _ page: inout ByteBuffer) -> Int {
        let at = page.count
        if prefixed { page.append(integer: UInt32(0)) }
        let start = page.count
        levels.finish(width: width, into: &page)
        let bytes = page.count - start
        if prefixed { page.overwrite(UInt32(bytes), at: at) }
        return bytes
    }

    /// Compresses `scratch.page`, except for its first `plainPrefix` bytes, and appends it with its header to the finished pages.
    private func store(_ kind: PageHeader.Kind, plainPrefix: Int, _ scratch: EncoderScratch) throws(ConnectorError) {
        uncompressedBytes += try Self.store(
            scratch.page.bytes, kind, plainPrefix: plainPrefix, options, &scratch.compressor, &scratch.compressed, into: &pages)
    }

    /// Returns the bytes before compression, header included.
    private static func store(
        _ page: UnsafeRawBufferPointer, _ kind: PageHeader.Kind, plainPrefix: Int, _ options: ParquetOptions,
        _ compressor: inout Compressor,
        _ compressed: inout ByteBuffer, into pages: inout ByteBuffer
    ) throws(ConnectorError) -> Int {
        guard page.count <= Int(Int32.max) else {
            throw ConnectorError(
                "parquet.page_too_large", .stop, "A page of \(page.count) bytes does not fit the Parquet format, which allows 2 GiB",
                hint: "Write smaller values or fewer rows at a time")
        }
        let head = UnsafeRawBufferPointer(rebasing: page[..<plainPrefix])
        var body = UnsafeRawBufferPointer(rebasing: page[plainPrefix...])
        if options.codec != .none {
            try compressor.compress(body, options.codec, level: options.compressionLevel, to: &compressed)
            body = compressed.bytes
        }
        let checksum = options.checksums ? pageChecksum(body, continuing: pageChecksum(head)) : nil
        var thrift = ThriftWriter()
        PageHeader(kind: kind, uncompressedBytes: page.count, storedBytes: head.count + body.count, checksum: checksum).write(to: &thrift)
        pages.append(thrift.buffer.bytes)
        pages.append(head)
        pages.append(body)
        return thrift.buffer.count + page.count
    }

    // MARK: The chunk

    /// The bloom filter of the chunk that ended, as it stands in the file.
    func takeFilter() -> [UInt8]? { filter?.take() }

    /// Ends the chunk: appends its pages to `out`, whose first byte is at `fileOffset` of the file, and starts the next one.
    func finish(into out: inout [UInt8], fileOffset: Int, _ scratch: EncoderScratch) throws(ConnectorError) -> ColumnChunkRecord {
        try finishPage(scratch)
        let start = fileOffset + out.count
        var dictionaryPage = ByteBuffer()
        try encoder.withDictionary { (body, count) throws(ConnectorError) in
            uncompressedBytes += try Self.store(
                body, .dictionary(values: count), plainPrefix: 0, options, &scratch.compressor, &scratch.compressed, into: &dictionaryPage)
        }
        out += dictionaryPage.bytes
        let dataOffset = fileOffset + out.count
        out += pages.bytes
        let record = ColumnChunkRecord(
            leaf: leaf, dictionaryOffset: dictionaryPage.count > 0 ? start : nil, dataOffset: dataOffset,
            storedBytes: fileOffset + out.count - start, uncompressedBytes: uncompressedBytes, pages: records,
            dataPages: encodings.sorted { $0.key < $1.key }.map { (encoding: $0.key, count: $0.value) })
        encoder.reset()
        pages.release()
        records = []
        encodings = [:]
        rows = 0
        uncompressedBytes = 0
        return record
    }
}
