import ConnectAPI

/// Where one value of a tuple lies in the store's bytes.
struct Cell {
    /// Offset in the low 31 bits; the highest bit says that the value is in binary send format.
    let start: UInt32
    /// Bytes; -1: null, -2: an unchanged TOAST value the server did not send.
    let length: Int32

    static let null = Cell(start: 0, length: -1)
    static let unavailable = Cell(start: 0, length: -2)

    @inline(__always) init(start: UInt32, length: Int32) {
        self.start = start
        self.length = length
    }

    @inline(__always) init(at offset: Int, length: Int, isBinary: Bool) {
        start = UInt32(truncatingIfNeeded: offset) | (isBinary ? 0x8000_0000 : 0)
        self.length = Int32(truncatingIfNeeded: length)
    }

    @inline(__always) var offset: Int { Int(start & 0x7FFF_FFFF) }
    @inline(__always) var isBinary: Bool { start & 0x8000_0000 != 0 }
    @inline(__always) var isUnavailable: Bool { length == -2 }
}

/// The first pass of decoding: the bytes of the messages as they came, and a table of cells that says where each value lies.
///
///     bytes   ┃ message ┃ message ┃ …            copied once
///     cells   tuple 0: all null │ tuple 1: c0 c1 c2 │ tuple 2: …     row-major, `width` a tuple
///
/// Tuple 0 is all null: it stands for an absent `before` or `after`, so that decoding needs no branch for it.
struct TupleStore {
    let width: Int
    private(set) var bytes: [UInt8] = []
    /// Room for more tuples than there are: cells are written in place, without a check for each.
    private var cells: [Cell]
    /// Tuples held, the null tuple included.
    private(set) var count = 1

    /// Offsets have 31 bits.
    static let maximumBytes = 0x7FFF_FFFF

    init(width: Int) {
        self.width = width
        cells = Array(repeating: .null, count: max(1, width) * 16)
    }

    /// Memory held.
    var byteCount: Int { bytes.count + count * width * MemoryLayout<Cell>.stride }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        count = 1
    }

    /// Copies a message in and returns the offset of its first byte.
    @inline(__always)
    mutating func store(_ message: UnsafeRawBufferPointer) throws -> Int {
        let base = bytes.count
        guard base &+ message.count <= Self.maximumBytes else {
            throw ConnectorError(
                "postgres.batch_too_large", .stop, "A batch of changes would hold more than 2 GiB", hint: "Lower max.batch.size or the memory budget")
        }
        bytes.append(contentsOf: message)
        return base
    }

    /// Adds a tuple whose cells `write` fills in; when it throws, or returns false, nothing was added. Returns the tuple's number, or 0.
    @inline(__always)
    mutating func appendTuple<Failure: Error>(_ write: (UnsafeMutableBufferPointer<Cell>) throws(Failure) -> Bool) throws(Failure) -> Int32 {
        let start = count &* width
        if start &+ width > cells.count { cells.append(contentsOf: repeatElement(.null, count: cells.count)) }
        let tuple = try cells.withUnsafeMutableBufferPointer { (cells) throws(Failure) in
            try write(UnsafeMutableBufferPointer(rebasing: cells[start..<start &+ width]))
        }
        guard tuple else { return 0 }
        defer { count &+= 1 }
        return Int32(truncatingIfNeeded: count)
    }

    /// Walks the pgoutput tuple at `offset` of a stored message and adds its cells. Returns the tuple's number.
    @inline(__always)
    mutating func appendTuple(of message: UnsafeRawBufferPointer, at offset: Int, storedAt base: Int) throws(MalformedMessage) -> Int32 {
        try appendTuple { (cells) throws(MalformedMessage) in
            var cursor = ByteCursor(message, at: offset)
            guard Int(try cursor.int16()) == cells.count else { throw MalformedMessage(at: offset, of: message.count) }
            for column in 0..<cells.count {
                let kind = try cursor.uint8()
                switch kind {
                case UInt8(ascii: "t"), UInt8(ascii: "b"):
                    let length = Int(try cursor.int32())
                    cells[column] = Cell(at: base &+ cursor.position, length: length, isBinary: kind == UInt8(ascii: "b"))
                    try cursor.skip(length)
                case UInt8(ascii: "n"): cells[column] = .null
                case UInt8(ascii: "u"): cells[column] = .unavailable
                default: throw MalformedMessage(at: cursor.position - 1, of: message.count)
                }
            }
            return true
        }
    }

    func cell(_ tuple: Int32, _ column: Int) -> Cell { cells[Int(tuple) * width + column] }

    /// Values of unchanged TOAST columns are taken from the old tuple where it has them.
    mutating func resolveUnavailable(of new: Int32, from old: Int32) {
        for column in 0..<width where cells[Int(new) * width + column].isUnavailable {
            let before = cells[Int(old) * width + column]
            if before.length >= 0 { cells[Int(new) * width + column] = before }
        }
    }

    /// Whether two tuples have the same bytes in a column; a null equals a null.
    func equal(_ a: Int32, _ b: Int32, column: Int) -> Bool {
        let x = cell(a, column), y = cell(b, column)
        guard x.length == y.length else { return false }
        return x.length < 0 || bytes[x.offset..<x.offset + Int(x.length)] == bytes[y.offset..<y.offset + Int(y.length)]
    }
}

/// One column of some tuples: what the second pass decodes, row by row. Valid only inside the scope that made it.
struct CellView {
    let bytes: UnsafeRawPointer
    let cells: UnsafePointer<Cell>
    let stride: Int
    /// The tuple of each row.
    let tuples: UnsafePointer<Int32>?
    let count: Int

    @inline(__always) subscript(row: Int) -> Cell {
        if let tuples { cells[Int(tuples[row]) &* stride] } else { cells[row &* stride] }
    }

    @inline(__always) func value(_ cell: Cell) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: bytes + cell.offset, count: Int(cell.length))
    }
}

extension TupleStore {
    /// Calls `body` with the view of one column over these tuples.
    func withColumn<T>(_ column: Int, of tuples: [Int32], _ body: (CellView) throws -> T) rethrows -> T {
        try bytes.withUnsafeBytes { bytes in
            try cells.withUnsafeBufferPointer { cells in
                try tuples.withUnsafeBufferPointer { tuples in
                    // An empty array has no base address; then no cell points into it.
                    let none = UnsafeRawPointer(cells.baseAddress!)
                    return try body(
                        CellView(
                            bytes: bytes.baseAddress ?? none, cells: cells.baseAddress! + column, stride: width, tuples: tuples.baseAddress,
                            count: tuples.count))
                }
            }
        }
    }
}
