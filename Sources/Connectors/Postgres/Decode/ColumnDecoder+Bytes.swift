import ConnectAPI
import JSON

/// bytea, bit strings and types without a mapping.
extension ColumnDecoder {
    func decodeBytes(_ view: CellView, _ schema: Schema, filler: Value?, _ context: inout DecodeContext) -> Column {
        func placeholder(_ mode: ValueConversion.BinaryMode) -> [UInt8] {
            var out: [UInt8] = []
            context.placeholder.withUnsafeBytes { mode.append($0, to: &out) }
            return out
        }
        switch self {
        case .bytea(.bytes):
            return variable(
                view, schema, filler: filler, unavailable: context.placeholder, &context, Column.Storage.binary, ByteaText.append)
        case .bytea(let mode):
            return variable(view, schema, filler: filler, unavailable: placeholder(mode), &context, Column.Storage.utf8) { bytes, isBinary, out in
                if isBinary {
                    mode.append(bytes, to: &out)
                    return true
                }
                var raw: [UInt8] = []
                guard ByteaText.append(bytes, isBinary: false, to: &raw) else { return false }
                raw.withUnsafeBytes { mode.append($0, to: &out) }
                return true
            }
        case .opaque(let mode, let rewritesNumbers):
            let storage = mode == .bytes ? Column.Storage.binary : Column.Storage.utf8
            return variable(view, schema, filler: filler, unavailable: placeholder(mode), &context, storage) { bytes, _, out in
                if rewritesNumbers {
                    GeometryText.javaNumbers(bytes).withUnsafeBytes { mode.append($0, to: &out) }
                } else {
                    mode.append(bytes, to: &out)
                }
                return true
            }
        case .bits: return variable(view, schema, filler: filler, &context, Column.Storage.binary) { bytes, _, out in BitText.append(bytes, to: &out) }
        default: preconditionFailure("\(self) is not a binary type")
        }
    }
}

/// bytea as PostgreSQL writes it: `\x` and hex digits, or the old escape format.
enum ByteaText {
    static func append(_ text: UnsafeRawBufferPointer, isBinary: Bool, to out: inout [UInt8]) -> Bool {
        if isBinary {
            out.append(contentsOf: text)
            return true
        }
        guard text.count >= 2, text[0] == UInt8(ascii: "\\"), text[1] == UInt8(ascii: "x") else { return appendEscaped(text, to: &out) }
        guard text.count % 2 == 0 else { return false }
        out.reserveCapacity(out.count + text.count / 2)
        var i = 2
        while i < text.count {
            guard let high = Hex.digit(text[i]), let low = Hex.digit(text[i + 1]) else { return false }
            out.append(high << 4 | low)
            i += 2
        }
        return true
    }

    private static func appendEscaped(_ text: UnsafeRawBufferPointer, to out: inout [UInt8]) -> Bool {
        var i = 0
        while i < text.count {
            guard text[i] == UInt8(ascii: "\\") else {
                out.append(text[i])
                i += 1
                continue
            }
            if i + 1 < text.count, text[i + 1] == UInt8(ascii: "\\") {
                out.append(UInt8(ascii: "\\"))
                i += 2
                continue
            }
            guard i + 3 < text.count else { return false }
            let digits = text[i + 1...i + 3].map { $0 &- UInt8(ascii: "0") }
            guard digits.allSatisfy({ $0 <= 7 }), digits[0] <= 3 else { return false }
            out.append(digits[0] << 6 | digits[1] << 3 | digits[2])
            i += 4
        }
        return true
    }
}

/// Bit strings: bit 0 is the rightmost character, bytes are little-endian and end with the highest set bit.
enum BitText {
    static func append(_ text: UnsafeRawBufferPointer, to out: inout [UInt8]) -> Bool {
        let start = out.count
        out.append(contentsOf: repeatElement(0, count: (text.count + 7) / 8))
        for (i, character) in text.enumerated() {
            let bit = text.count - 1 - i
            switch character {
            case UInt8(ascii: "1"): out[start + bit / 8] |= 1 << UInt8(bit % 8)
            case UInt8(ascii: "0"): break
            default: return false
            }
        }
        while out.count > start, out[out.count - 1] == 0 { out.removeLast() }
        return true
    }
}

/// The geometric types as Java's driver prints them back: every number as a Java double.
enum GeometryText {
    static func javaNumbers(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        var out: [UInt8] = [], i = 0
        func isNumber(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "e"),
                UInt8(ascii: "E"):
                true
            default: false
            }
        }
        while i < text.count {
            var end = i
            while end < text.count, isNumber(text[end]) { end += 1 }
            if end == i {
                out.append(text[i])
                i += 1
                continue
            }
            if let value = FloatText.double(UnsafeRawBufferPointer(rebasing: text[i..<end])) {
                out.append(contentsOf: JavaNumber.string(value).utf8)
            } else {
                out.append(contentsOf: text[i..<end])
            }
            i = end
        }
        return out
    }
}

extension ValueConversion.BinaryMode {
    /// Appends bytes in this representation.
    func append(_ bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        switch self {
        case .bytes: out.append(contentsOf: bytes)
        case .hex:
            for byte in bytes {
                out.append(Hex.digits[Int(byte >> 4)])
                out.append(Hex.digits[Int(byte & 15)])
            }
        case .base64: out.append(contentsOf: Base64.encode(Array(bytes)).utf8)
        case .base64URLSafe:
            for byte in Base64.encode(Array(bytes)).utf8 {
                out.append(byte == UInt8(ascii: "+") ? UInt8(ascii: "-") : byte == UInt8(ascii: "/") ? UInt8(ascii: "_") : byte)
            }
        }
    }

    /// The value of opaque content, as of a logical message.
    func value(_ bytes: [UInt8]) -> Value {
        if self == .bytes { return .bytes(bytes) }
        var out: [UInt8] = []
        bytes.withUnsafeBytes { append($0, to: &out) }
        return .string(String(decoding: out, as: UTF8.self))
    }
}
