import ConnectAPI

/// Arrays, hstore and points: values with parts.
extension ColumnDecoder {
    /// One-dimensional arrays. An array of more dimensions has a null for each part of the outermost one, as Debezium gives it.
    func decodeArray(_ element: ColumnDecoder, _ view: CellView, _ schema: Schema, filler: Value?, _ context: inout DecodeContext) -> Column {
        var marks = RowMarks(count: view.count, isRequired: filler != nil)
        var offsets: [Int32] = [0]
        offsets.reserveCapacity(view.count + 1)
        var elements = ElementCells()
        for row in 0..<view.count {
            let cell = view[row]
            if cell.length >= 0 {
                let mark = elements.mark
                let parsed = cell.isBinary ? elements.appendBinary(view.value(cell)) : elements.appendText(view.value(cell))
                if !parsed {
                    elements.rewind(to: mark)
                    context.failures += 1
                    marks.markNull(row)
                }
            } else {
                marks.mark(row, cell)
            }
            offsets.append(Int32(truncatingIfNeeded: elements.cells.count))
        }
        let values = elements.withView { view in element.decode(view, schema.element!, filler: nil, &context) }
        return Column(
            schema, count: view.count, .list(offsets: offsets, values), validity: marks.validity, unavailable: marks.unavailable)
    }

    func decodeHstore(
        _ mode: ValueConversion.HstoreMode, _ view: CellView, _ schema: Schema, filler: Value?, _ context: inout DecodeContext
    ) -> Column {
        switch mode {
        case .json:
            return variable(view, schema, filler: filler, &context, Column.Storage.utf8) { bytes, _, out in
                var entries = ElementCells()
                guard HstoreText.parse(bytes, into: &entries) else { return false }
                HstoreText.appendJSON(entries, to: &out)
                return true
            }
        case .map:
            var marks = RowMarks(count: view.count, isRequired: filler != nil)
            var offsets: [Int32] = [0], entries = ElementCells()
            for row in 0..<view.count {
                let cell = view[row]
                if cell.length >= 0 {
                    var own = ElementCells()
                    if HstoreText.parse(view.value(cell), into: &own) {
                        for entry in JavaHashMap.order(own) { entries.append(own, entry * 2..<entry * 2 + 2) }
                    } else {
                        context.failures += 1
                        marks.markNull(row)
                    }
                } else {
                    marks.mark(row, cell)
                }
                offsets.append(Int32(truncatingIfNeeded: entries.cells.count / 2))
            }
            // Keys and values take turns.
            let keys = entries.withView(every: 2, from: 0) { ColumnDecoder.text.decode($0, schema.key!, filler: "", &context) }
            let values = entries.withView(every: 2, from: 1) { ColumnDecoder.text.decode($0, schema.element!, filler: nil, &context) }
            return Column(
                schema, count: view.count, .map(offsets: offsets, keys: keys, values: values), validity: marks.validity,
                unavailable: marks.unavailable)
        }
    }

    func decodePoint(_ view: CellView, _ schema: Schema, filler: Value?, _ context: inout DecodeContext) -> Column {
        var marks = RowMarks(count: view.count, isRequired: filler != nil)
        var xs: [Double] = [], ys: [Double] = [], wkb = VarBytes()
        for row in 0..<view.count {
            let cell = view[row]
            var point: (x: Double, y: Double)?
            if cell.length >= 0 {
                point = Self.point(view.value(cell), cell.isBinary)
                if point == nil {
                    context.failures += 1
                    marks.markNull(row)
                }
            } else {
                marks.mark(row, cell)
            }
            let (x, y) = point ?? (0, 0)
            xs.append(x)
            ys.append(y)
            // Well-known binary: little-endian, geometry type 1.
            wkb.bytes.append(contentsOf: [1, 1, 0, 0, 0])
            for value in [x, y] { withUnsafeBytes(of: value.bitPattern.littleEndian) { wkb.bytes.append(contentsOf: $0) } }
            wkb.appendEmpty()
        }
        let n = view.count, fields = schema.fields
        return Column(
            schema, count: n,
            .struct([
                Column(fields[0].schema, count: n, .float64(xs)), Column(fields[1].schema, count: n, .float64(ys)),
                Column(fields[2].schema, count: n, .binary(wkb)), .constant(.null, fields[3].schema, count: n),
            ]), validity: marks.validity, unavailable: marks.unavailable)
    }

    private static func point(_ bytes: UnsafeRawBufferPointer, _ isBinary: Bool) -> (x: Double, y: Double)? {
        if isBinary {
            guard bytes.count == 16 else { return nil }
            return (
                Double(bitPattern: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))),
                Double(bitPattern: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
            )
        }
        guard bytes.count >= 5, bytes.first == UInt8(ascii: "("), bytes.last == UInt8(ascii: ")"),
            let comma = bytes.firstIndex(of: UInt8(ascii: ",")),
            let x = FloatText.double(UnsafeRawBufferPointer(rebasing: bytes[1..<comma])),
            let y = FloatText.double(UnsafeRawBufferPointer(rebasing: bytes[(comma + 1)..<(bytes.count - 1)]))
        else { return nil }
        return (x, y)
    }
}

/// The parts of many values, unescaped, with a cell each: what lets parts be decoded as a column of their own.
struct ElementCells {
    private(set) var cells: [Cell] = []
    private(set) var bytes: [UInt8] = []

    var mark: (cells: Int, bytes: Int) { (cells.count, bytes.count) }

    mutating func rewind(to mark: (cells: Int, bytes: Int)) {
        cells.removeSubrange(mark.cells...)
        bytes.removeSubrange(mark.bytes...)
    }

    mutating func appendNull() { cells.append(.null) }

    mutating func append(_ value: UnsafeRawBufferPointer, isBinary: Bool = false) {
        cells.append(Cell(at: bytes.count, length: value.count, isBinary: isBinary))
        bytes.append(contentsOf: value)
    }

    /// Appends some cells of another.
    mutating func append(_ other: ElementCells, _ range: Range<Int>) {
        for cell in other.cells[range] {
            if cell.length < 0 {
                appendNull()
            } else {
                other.bytes.withUnsafeBytes { append(UnsafeRawBufferPointer(rebasing: $0[cell.offset..<cell.offset + Int(cell.length)])) }
            }
        }
    }

    /// Appends the text between double quotes, with backslashes removed; `at` is after the opening quote and ends after the closing one.
    mutating func appendQuoted(_ text: UnsafeRawBufferPointer, _ at: inout Int) -> Bool {
        let start = bytes.count
        while at < text.count {
            var byte = text[at]
            at += 1
            if byte == UInt8(ascii: "\"") {
                cells.append(Cell(at: start, length: bytes.count - start, isBinary: false))
                return true
            }
            if byte == UInt8(ascii: "\\") {
                guard at < text.count else { return false }
                byte = text[at]
                at += 1
            }
            bytes.append(byte)
        }
        return false
    }

    func withView<T>(every stride: Int = 1, from first: Int = 0, _ body: (CellView) -> T) -> T {
        // A spare cell, so that there is an address also when there are no parts.
        let padded = cells + [.null]
        return bytes.withUnsafeBytes { bytes in
            padded.withUnsafeBufferPointer { cells in
                body(
                    CellView(
                        bytes: bytes.baseAddress ?? UnsafeRawPointer(cells.baseAddress!), cells: cells.baseAddress! + (self.cells.isEmpty ? 0 : first),
                        stride: stride, tuples: nil, count: self.cells.count / stride))
            }
        }
    }

    /// `{1,NULL,"a \"b\""}`, with bounds before it where they are not 1: `[0:1]={1,2}`.
    mutating func appendText(_ text: UnsafeRawBufferPointer) -> Bool {
        var at = 0
        if text.first == UInt8(ascii: "[") {
            guard let equals = text.firstIndex(of: UInt8(ascii: "=")) else { return false }
            at = equals + 1
        }
        guard at < text.count, text[at] == UInt8(ascii: "{") else { return false }
        at += 1
        if at == text.count - 1, text[at] == UInt8(ascii: "}") { return true }
        while at < text.count {
            switch text[at] {
            case UInt8(ascii: "{"):
                guard Self.skipNested(text, &at) else { return false }
                appendNull()
            case UInt8(ascii: "\""):
                at += 1
                guard appendQuoted(text, &at) else { return false }
            default:
                let start = at
                while at < text.count, text[at] != UInt8(ascii: ","), text[at] != UInt8(ascii: "}") { at += 1 }
                let word = UnsafeRawBufferPointer(rebasing: text[start..<at])
                if word.elementsEqual("NULL".utf8) { appendNull() } else { append(word) }
            }
            guard at < text.count else { return false }
            at += 1
            if text[at - 1] == UInt8(ascii: "}") { return at == text.count }
            guard text[at - 1] == UInt8(ascii: ",") else { return false }
        }
        return false
    }

    private static func skipNested(_ text: UnsafeRawBufferPointer, _ at: inout Int) -> Bool {
        var depth = 0, isQuoted = false
        while at < text.count {
            let byte = text[at]
            at += 1
            switch byte {
            case UInt8(ascii: "\\"): at += 1
            case UInt8(ascii: "\""): isQuoted.toggle()
            case UInt8(ascii: "{") where !isQuoted: depth += 1
            case UInt8(ascii: "}") where !isQuoted:
                depth -= 1
                if depth == 0 { return true }
            default: break
            }
        }
        return false
    }

    /// Dimensions, flags and element type, then (length, lower bound) a dimension, then length and bytes an element.
    mutating func appendBinary(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var cursor = ByteCursor(bytes)
        do throws(MalformedMessage) {
            let dimensions = try cursor.int32()
            try cursor.skip(8)
            if dimensions == 0 { return cursor.remaining == 0 }
            guard (1...6).contains(dimensions) else { return false }
            let count = Int(try cursor.int32())
            try cursor.skip(4 + 8 * Int(dimensions - 1))
            guard count >= 0, count <= cursor.remaining / 4 else { return false }
            for _ in 0..<count {
                if dimensions > 1 {
                    appendNull()
                    continue
                }
                let length = Int(try cursor.int32())
                if length == -1 { appendNull() } else { append(try cursor.take(length), isBinary: true) }
            }
            return true
        } catch {
            return false
        }
    }
}

/// hstore's text: `"k1"=>"v1", "k2"=>NULL`.
enum HstoreText {
    /// Appends a key and a value in turns.
    static func parse(_ text: UnsafeRawBufferPointer, into out: inout ElementCells) -> Bool {
        var at = 0
        func skipSpaces() { while at < text.count, text[at] == UInt8(ascii: " ") { at += 1 } }
        func take(_ byte: UInt8) -> Bool {
            guard at < text.count, text[at] == byte else { return false }
            at += 1
            return true
        }
        skipSpaces()
        if at == text.count { return true }
        while true {
            guard take(UInt8(ascii: "\"")), out.appendQuoted(text, &at) else { return false }
            skipSpaces()
            guard take(UInt8(ascii: "=")), take(UInt8(ascii: ">")) else { return false }
            skipSpaces()
            if take(UInt8(ascii: "\"")) {
                guard out.appendQuoted(text, &at) else { return false }
            } else {
                guard at + 4 <= text.count, text[at..<at + 4].elementsEqual("NULL".utf8) else { return false }
                at += 4
                out.appendNull()
            }
            skipSpaces()
            if at == text.count { return true }
            guard take(UInt8(ascii: ",")) else { return false }
            skipSpaces()
        }
    }

    /// One compact object; a null member is `null`.
    static func appendJSON(_ entries: ElementCells, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "{"))
        for (n, entry) in JavaHashMap.order(entries).enumerated() {
            if n > 0 { out.append(UInt8(ascii: ",")) }
            for (part, cell) in [entries.cells[entry * 2], entries.cells[entry * 2 + 1]].enumerated() {
                if part == 1 { out.append(UInt8(ascii: ":")) }
                if cell.length < 0 {
                    out.append(contentsOf: "null".utf8)
                } else {
                    appendString(entries.bytes[cell.offset..<cell.offset + Int(cell.length)], to: &out)
                }
            }
        }
        out.append(UInt8(ascii: "}"))
    }

    private static func appendString(_ text: ArraySlice<UInt8>, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): out.append(contentsOf: [UInt8(ascii: "\\"), byte])
            case 0x08: out.append(contentsOf: "\\b".utf8)
            case 0x09: out.append(contentsOf: "\\t".utf8)
            case 0x0A: out.append(contentsOf: "\\n".utf8)
            case 0x0C: out.append(contentsOf: "\\f".utf8)
            case 0x0D: out.append(contentsOf: "\\r".utf8)
            case 0..<0x20:
                out.append(contentsOf: "\\u00".utf8)
                // Jackson writes upper-case digits.
                for nibble in [byte >> 4, byte & 15] { out.append(contentsOf: String(nibble, radix: 16, uppercase: true).utf8) }
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }
}
