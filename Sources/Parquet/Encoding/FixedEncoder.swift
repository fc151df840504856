import ConnectAPI

/// Encodes INT32, INT64, FLOAT and DOUBLE.
final class FixedEncoder<Value: FixedValue>: ValueEncoder {
    private let limits: EncoderLimits
    private var phase: DictionaryPhase
    private var dictionary = FixedDictionary<Value.Word>()
    /// The open page's dictionary indexes, or its values in PLAIN encoding.
    private var page = ByteBuffer()
    private var range: (min: Value, max: Value)?
    private var width: Int { MemoryLayout<Value>.size }

    init(_ limits: EncoderLimits) {
        self.limits = limits
        phase = limits.firstPhase
    }

    private var valueCount: Int { page.count / (phase == .plain ? width : 4) }

    func plainBytes(_ values: DenseValues, _ range: Range<Int>) -> Int { range.count * width }

    var pageCost: Int { phase == .trial ? valueCount * width : page.count }

    func fitting(_ values: DenseValues, _ range: Range<Int>, limit: Int) -> Int {
        let step = phase == .dictionary ? 4 : width
        return min(range.count, max(1, (limit - pageCost + step - 1) / step))
    }

    var dictionaryIsFull: Bool { phase != .plain && dictionaryBytes >= limits.dictionaryBytes }

    func append(_ values: DenseValues, _ rows: Range<Int>, unbounded: Bool) -> Int {
        let start = values.pointer(Value.self) + rows.lowerBound
        var taken = rows.count
        if phase == .plain {
            page.append(UnsafeRawPointer(start), count: taken * width)
        } else {
            let limit = unbounded ? .max : limits.dictionaryBytes
            page.append(upTo: taken * 4) { target in
                let words = UnsafeRawPointer(start).assumingMemoryBound(to: Value.Word.self)
                taken = dictionary.number(words, count: taken, limit: limit, into: target.assumingMemoryBound(to: UInt32.self))
                return taken * 4
            }
        }
        if limits.bounds, let seen = Value.bounds(start, count: taken) { include(seen) }
        return taken
    }

    private func include(_ seen: (min: Value, max: Value)) {
        guard let known = range else { return range = seen }
        range = (seen.min < known.min ? seen.min : known.min, known.max < seen.max ? seen.max : known.max)
    }

    func finishPage(into out: inout ByteBuffer, _ scratch: EncoderScratch) -> EncodedValues {
        defer {
            page.removeAll()
            range = nil
        }
        let bounds = range.map { Value.stored($0) }.map { Bounds(min: $0.min.plainBytes, max: $0.max.plainBytes) }
        if phase == .trial && page.count > 0 {
            phase = .dictionary
            if !dictionaryPays(plain: valueCount * width, dictionary: dictionaryBytes, values: valueCount, distinct: dictionary.count) {
                for index in page.bytes.bindMemory(to: UInt32.self) { out.append(integer: dictionary[index]) }
                dictionary.removeAll()
                phase = .plain
                return EncodedValues(encoding: Encoding.plain, bounds: bounds)
            }
        }
        // A first page without values proves nothing: the trial goes on.
        if phase != .dictionary {
            out.append(page.bytes)
            return EncodedValues(encoding: Encoding.plain, bounds: bounds)
        }
        appendIndexes(page, distinct: dictionary.count, to: &out)
        if dictionaryIsFull { phase = .plain }
        return EncodedValues(encoding: Encoding.rleDictionary, bounds: bounds)
    }

    func withDictionary(_ body: (UnsafeRawBufferPointer, Int) throws(ConnectorError) -> Void) throws(ConnectorError) {
        if dictionary.count > 0 { try body(dictionary.entries.bytes, dictionary.count) }
    }

    func reset() {
        phase = limits.firstPhase
        dictionary.removeAll()
    }

    var memory: Int { page.capacity + dictionary.memory }
    var dictionaryBytes: Int { dictionary.entries.count }
}

/// Encodes BOOLEAN: a bit a value, never a dictionary.
final class BooleanEncoder: ValueEncoder {
    private let limits: EncoderLimits
    private var page = ByteBuffer()

    init(_ limits: EncoderLimits) { self.limits = limits }

    func plainBytes(_ values: DenseValues, _ range: Range<Int>) -> Int { range.count }

    var pageCost: Int { page.count }
    var dictionaryIsFull: Bool { false }
    var dictionaryBytes: Int { 0 }

    func fitting(_ values: DenseValues, _ range: Range<Int>, limit: Int) -> Int { min(range.count, max(1, limit - page.count)) }

    func append(_ values: DenseValues, _ range: Range<Int>, unbounded: Bool) -> Int {
        page.append(UnsafeRawPointer(values.pointer(UInt8.self) + range.lowerBound), count: range.count)
        return range.count
    }

    func finishPage(into out: inout ByteBuffer, _ scratch: EncoderScratch) -> EncodedValues {
        defer { page.removeAll() }
        var trues = 0, packed: UInt8 = 0
        for (i, byte) in page.bytes.enumerated() {
            let bit: UInt8 = byte == 0 ? 0 : 1
            trues += Int(bit)
            packed |= bit << UInt8(i & 7)
            if i & 7 == 7 {
                out.append(packed)
                packed = 0
            }
        }
        if page.count & 7 != 0 { out.append(packed) }
        let bounds =
            limits.bounds && page.count > 0 ? Bounds(min: [trues == page.count ? 1 : 0], max: [trues > 0 ? 1 : 0]) : nil
        return EncodedValues(encoding: Encoding.plain, bounds: bounds)
    }

    func withDictionary(_ body: (UnsafeRawBufferPointer, Int) throws(ConnectorError) -> Void) throws(ConnectorError) {}

    func reset() {}

    var memory: Int { page.capacity }
}
