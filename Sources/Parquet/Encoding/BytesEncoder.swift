import ConnectAPI

/// Encodes BYTE_ARRAY, and FIXED_LEN_BYTE_ARRAY as strings of one length.
final class BytesEncoder: ValueEncoder {
    private let limits: EncoderLimits
    private let order: BytesOrder
    /// PLAIN writes a length before each string of BYTE_ARRAY.
    private let prefix: Int
    private var phase: DictionaryPhase
    private var dictionary: BytesDictionary
    /// The open page's dictionary indexes, or its values in PLAIN encoding.
    private var page = ByteBuffer()
    /// What the values of a trial page take in PLAIN encoding.
    private var trialBytes = 0
    /// The bounds of a plain page; those of others are told from the dictionary entries that the page uses.
    private var range: BytesBounds

    init(_ limits: EncoderLimits, order: BytesOrder, prefixed: Bool) {
        self.limits = limits
        self.order = order
        prefix = prefixed ? 4 : 0
        dictionary = BytesDictionary(prefixed: prefixed)
        phase = limits.firstPhase
        range = BytesBounds(order)
    }

    func plainBytes(_ values: DenseValues, _ rows: Range<Int>) -> Int {
        guard case .bytes(_, let starts, let ends) = values, !rows.isEmpty else { return 0 }
        // Strings that lie one after the other need no walk.
        if ends == starts + 1 { return Int(ends[rows.upperBound - 1] - starts[rows.lowerBound]) + rows.count * prefix }
        return rows.reduce(0) { $0 &+ Int(ends[$1] &- starts[$1]) &+ prefix }
    }

    var pageCost: Int { phase == .trial ? trialBytes : page.count }

    func fitting(_ values: DenseValues, _ rows: Range<Int>, limit: Int) -> Int {
        let budget = limit - pageCost
        if phase == .dictionary { return min(rows.count, max(1, (budget + 3) / 4)) }
        if plainBytes(values, rows) < budget { return rows.count }
        guard case .bytes(_, let starts, let ends) = values else { return rows.count }
        var bytes = 0
        for i in rows {
            bytes += Int(ends[i] - starts[i]) + prefix
            if bytes >= budget { return i + 1 - rows.lowerBound }
        }
        return rows.count
    }

    var dictionaryIsFull: Bool { phase != .plain && dictionaryBytes >= limits.dictionaryBytes }

    func append(_ values: DenseValues, _ rows: Range<Int>, unbounded: Bool) -> Int {
        guard case .bytes(let data, let starts, let ends) = values else { preconditionFailure("numbers where byte strings were expected") }
        if phase == .plain {
            appendPlain(data, starts, ends, rows)
            return rows.count
        }
        let limit = unbounded ? .max : limits.dictionaryBytes
        var taken = 0
        page.append(upTo: rows.count * 4) { target in
            taken = dictionary.number(
                data, starts: starts + rows.lowerBound, ends: ends + rows.lowerBound, count: rows.count, limit: limit,
                into: target.assumingMemoryBound(to: UInt32.self))
            return taken * 4
        }
        if phase == .trial { trialBytes += plainBytes(values, rows.lowerBound..<rows.lowerBound + taken) }
        return taken
    }

    private func appendPlain(
        _ data: UnsafePointer<UInt8>, _ starts: UnsafePointer<Int32>, _ ends: UnsafePointer<Int32>, _ rows: Range<Int>
    ) {
        page.reserve(plainBytes(.bytes(data, starts: starts, ends: ends), rows))
        // A copy, so that the loop does not go through the object for every value.
        var seen = range
        for i in rows {
            let value = UnsafeRawBufferPointer(start: data + Int(starts[i]), count: Int(ends[i] &- starts[i]))
            if prefix > 0 { page.append(integer: UInt32(truncatingIfNeeded: value.count)) }
            page.append(short: value)
            if limits.bounds { seen.include(value) }
        }
        range = seen
    }

    func finishPage(into out: inout ByteBuffer, _ scratch: EncoderScratch) -> EncodedValues {
        defer {
            page.removeAll()
            range = BytesBounds(order)
            trialBytes = 0
        }
        // A first page without values proves nothing: the trial goes on.
        if phase == .plain || page.count == 0 && phase == .trial {
            out.append(page.bytes)
            return EncodedValues(encoding: Encoding.plain, bounds: range.bounds)
        }
        let indexes = page.bytes.bindMemory(to: UInt32.self)
        let distinct = dictionary.count
        if limits.bounds { markBounds(indexes, distinct, scratch) }
        if phase == .trial {
            phase = .dictionary
            if !dictionaryPays(plain: trialBytes, dictionary: dictionaryBytes, values: indexes.count, distinct: distinct) {
                for index in indexes {
                    let value = dictionary[index]
                    if prefix > 0 { out.append(integer: UInt32(truncatingIfNeeded: value.count)) }
                    out.append(value)
                }
                dictionary.removeAll()
                phase = .plain
                return EncodedValues(encoding: Encoding.plain, bounds: range.bounds)
            }
        }
        appendIndexes(page, distinct: distinct, to: &out)
        if dictionaryIsFull { phase = .plain }
        return EncodedValues(encoding: Encoding.rleDictionary, bounds: range.bounds)
    }

    /// Compares each entry that the page uses once.
    private func markBounds(_ indexes: UnsafeBufferPointer<UInt32>, _ distinct: Int, _ scratch: EncoderScratch) {
        scratch.marks.removeAll(keepingCapacity: true)
        scratch.marks.append(contentsOf: repeatElement(false, count: distinct))
        scratch.marks.withUnsafeMutableBufferPointer { marks in
            for index in indexes { marks[Int(index)] = true }
            for (entry, used) in marks.enumerated() where used { range.include(dictionary[UInt32(entry)]) }
        }
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
