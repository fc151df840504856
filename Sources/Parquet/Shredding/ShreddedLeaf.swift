import ConnectAPI

/// One leaf of a run of rows: its levels, and where its values lie in the column.
struct ShreddedLeaf {
    enum Source {
        case none
        case constant(LeafValues)
        case column(LeafValues)
    }

    var slots: Slots
    var source: Source

    /// Bytes in PLAIN encoding, or more: what lies in the gaps between strings is counted too.
    var mostPlainBytes: Int {
        switch source {
        case .none: 0
        case .constant(let values): slots.live.count * values.plainBytes(0..<1)
        case .column(let values): values.plainBytes(slots.live.span)
        }
    }

    /// Gives `body` the levels and the values without gaps.
    func withBlock<R>(_ scratch: EncoderScratch, _ body: (LeafBlock) throws(ConnectorError) -> R) throws(ConnectorError) -> R {
        func block(_ values: DenseValues) -> LeafBlock {
            LeafBlock(slots: slots.count, definition: slots.definition, repetition: slots.repetition, values: values)
        }
        switch source {
        case .none: return try body(block(.fixed(scratch.gathered.base)))
        case .constant(let values):
            return try values.withDense(.each([Int32](repeating: 0, count: slots.live.count)), scratch) { (dense) throws(ConnectorError) in
                try body(block(dense))
            }
        case .column(let values):
            return try values.withDense(slots.live, scratch) { (dense) throws(ConnectorError) in try body(block(dense)) }
        }
    }
}

extension LeafValues {
    /// What a range takes in PLAIN encoding (a boolean a byte), null rows included.
    func plainBytes(_ range: Range<Int>) -> Int {
        switch self {
        case .boolean: range.count
        case .int32, .float: range.count * 4
        case .int64, .double: range.count * 8
        case .bytes(let v): range.isEmpty ? 0 : range.count * 4 + Int(v.offsets[range.upperBound] - v.offsets[range.lowerBound])
        case .fixed(_, let length): range.count * length
        }
    }

    /// The values at these positions side by side; copied only where there are gaps.
    func withDense<R>(
        _ positions: Positions, _ scratch: EncoderScratch, _ body: (DenseValues) throws(ConnectorError) -> R
    ) throws(ConnectorError) -> R {
        switch self {
        case .boolean(let v): return try Self.dense(v, positions, scratch, body)
        case .int32(let v): return try Self.dense(v, positions, scratch, body)
        case .int64(let v): return try Self.dense(v, positions, scratch, body)
        case .float(let v): return try Self.dense(v, positions, scratch, body)
        case .double(let v): return try Self.dense(v, positions, scratch, body)
        case .bytes(let v): return try Self.dense(v, positions, scratch, body)
        case .fixed(let v, let length): return try Self.dense(v, length, positions, scratch, body)
        }
    }

    private static func dense<T, R>(
        _ values: [T], _ positions: Positions, _ scratch: EncoderScratch, _ body: (DenseValues) throws(ConnectorError) -> R
    ) throws(ConnectorError) -> R {
        try borrowing(values) { (start) throws(ConnectorError) in
            switch positions {
            case .range(let range): return try body(.fixed(UnsafeRawPointer(start + range.lowerBound)))
            case .each(let positions):
                scratch.gathered.removeAll()
                scratch.gathered.append(upTo: positions.count * MemoryLayout<T>.stride) { target in
                    let target = target.bindMemory(to: T.self, capacity: positions.count)
                    positions.withUnsafeBufferPointer { positions in
                        for i in positions.indices { target[i] = start[Int(positions[i])] }
                    }
                    return positions.count * MemoryLayout<T>.stride
                }
                return try body(.fixed(scratch.gathered.base))
            }
        }
    }

    private static func dense<R>(
        _ values: VarBytes, _ positions: Positions, _ scratch: EncoderScratch, _ body: (DenseValues) throws(ConnectorError) -> R
    ) throws(ConnectorError) -> R {
        try borrowing(values.bytes) { (data) throws(ConnectorError) in
            try borrowing(values.offsets) { (offsets) throws(ConnectorError) in
                switch positions {
                case .range(let range):
                    let starts = offsets + range.lowerBound
                    return try body(.bytes(data, starts: starts, ends: starts + 1))
                case .each(let positions):
                    return try places(positions.count, scratch, body, data) { i in
                        let row = Int(positions[i])
                        return (offsets[row], offsets[row + 1])
                    }
                }
            }
        }
    }

    private static func dense<R>(
        _ values: [UInt8], _ length: Int, _ positions: Positions, _ scratch: EncoderScratch,
        _ body: (DenseValues) throws(ConnectorError) -> R
    ) throws(ConnectorError) -> R {
        try borrowing(values) { (data) throws(ConnectorError) in
            try places(positions.count, scratch, body, data) { i in
                let row =
                    switch positions {
                    case .range(let range): range.lowerBound + i
                    case .each(let positions): Int(positions[i])
                    }
                return (Int32(row * length), Int32(row * length + length))
            }
        }
    }

    private static func places<R>(
        _ n: Int, _ scratch: EncoderScratch, _ body: (DenseValues) throws(ConnectorError) -> R, _ data: UnsafePointer<UInt8>,
        _ place: (Int) -> (Int32, Int32)
    ) throws(ConnectorError) -> R {
        scratch.starts.removeAll()
        scratch.ends.removeAll()
        scratch.starts.reserve(n * 4)
        scratch.ends.reserve(n * 4)
        for i in 0..<n {
            let (start, end) = place(i)
            scratch.starts.append(integer: start)
            scratch.ends.append(integer: end)
        }
        return try body(
            .bytes(
                data, starts: scratch.starts.base.assumingMemoryBound(to: Int32.self),
                ends: scratch.ends.base.assumingMemoryBound(to: Int32.self)))
    }

    /// The array's storage, or some address where it is empty.
    private static func borrowing<T, R>(_ values: [T], _ body: (UnsafePointer<T>) throws(ConnectorError) -> R) throws(ConnectorError) -> R {
        let result = values.withUnsafeBufferPointer { buffer -> Result<R, ConnectorError> in
            let start = buffer.baseAddress ?? UnsafePointer(bitPattern: MemoryLayout<T>.alignment)!
            do throws(ConnectorError) { return .success(try body(start)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}
