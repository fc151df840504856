import ConnectAPI

/// Brings the values of one scalar column into the physical type of its leaf.
struct LeafConversion {
    /// Rows whose value counts; nil: all. The others hold anything and are never refused.
    let rows: Bitmap?
    let count: Int

    func isLive(_ row: Int) -> Bool { rows.map { $0[row] } ?? true }

    func convert(_ column: Column, _ conversion: Conversion) throws(Unwritable) -> LeafValues {
        switch (conversion, column.storage) {
        case (.direct, .boolean(let v)): return .boolean(v)
        case (.direct, .int32(let v)): return .int32(v)
        case (.direct, .int64(let v)): return .int64(v)
        case (.direct, .float32(let v)): return .float(v)
        case (.direct, .float64(let v)): return .double(v)
        case (.direct, .binary(let v)), (.direct, .utf8(let v)), (.text, .utf8(let v)): return .bytes(v)
        case (.multiplied(let factor), .int64(let v)): return .int64(try multiply(v, by: factor))
        case (.divided(let divisor), .int64(let v)): return .int64(divide(v, by: divisor))
        case (.timestampText(let units, let utc), .int64(let v)): return .bytes(timestampText(v, unitsPerSecond: units, utc: utc))
        case (.zonedMicros, .utcMicros(let v, _)): return .int64(ZonedTimestamps.forReaders(v))
        case (.zonedMicros, .utf8(let v)): return .int64(try parseZoned(v))
        case (.text, let storage): if let text = text(storage) { return .bytes(text) }
        case (.uuidBytes, .uuid(let v)): return .fixed(v, length: 16)
        case (.uuidBytes, .utf8(let v)): return .fixed(try parseUUIDs(v), length: 16)
        case (.decimal(let target), .decimal128(let v)): return try DecimalConversion(target, self).convert(v)
        case (.decimal(let target), .binary(let v)): return try DecimalConversion(target, self).convert(v)
        case (.variableScaleText, .struct): if let text = variableScaleText(column) { return .bytes(text) }
        case (.variableScaleDouble, .struct):
            if let text = variableScaleText(column) {
                return .double((0..<count).map { Double(String(decoding: text[$0], as: UTF8.self)) ?? 0 })
            }
        case (.geometryBytes, .struct), (.geometryText, .struct):
            if let wkb = column.child("wkb")?.materialized(), case .binary(let bytes) = wkb.storage {
                return .bytes(conversion == .geometryBytes ? bytes : geometryText(bytes))
            }
        default: break
        }
        throw ColumnPreparation.storageMismatch(column)
    }

    // MARK: Timestamps

    private func multiply(_ values: [Int64], by factor: Int64) throws(Unwritable) -> [Int64] {
        var overflowed = false
        let out = values.map { value in
            let (product, overflow) = value.multipliedReportingOverflow(by: factor)
            overflowed = overflowed || overflow
            return product
        }
        if overflowed {
            for (row, value) in values.enumerated() where isLive(row) && value.multipliedReportingOverflow(by: factor).overflow {
                throw Unwritable(
                    row: row, code: "timestamp_out_of_range", reason: "the timestamp does not fit 64 bits of microseconds",
                    hint: "Write timestamps as text, or correct the value at its source")
            }
        }
        return out
    }

    /// Int64.max and Int64.min, which a NanoTimestamp uses for infinity, become what a MicroTimestamp uses for it.
    private func divide(_ values: [Int64], by divisor: Int64) -> [Int64] {
        values.map {
            $0 == .max ? 9_223_372_036_825_200_000 : $0 == .min ? -9_223_372_036_832_400_000 : $0.flooredDivision(by: divisor).quotient
        }
    }

    private func timestampText(_ values: [Int64], unitsPerSecond: Int64, utc: Bool) -> VarBytes {
        var out = VarBytes()
        out.offsets.reserveCapacity(count + 1)
        out.bytes.reserveCapacity(count * 27)
        let fractionDigits = unitsPerSecond == 1000 ? 3 : unitsPerSecond == 1_000_000 ? 6 : 9
        for (row, value) in values.enumerated() {
            if isLive(row) {
                let (seconds, fraction) = value.flooredDivision(by: unitsPerSecond)
                let (day, second) = seconds.flooredDivision(by: 86_400)
                ISO8601.appendDate(day: day, to: &out.bytes)
                out.bytes.append(UInt8(ascii: "T"))
                ISO8601.appendTime(micros: second * 1_000_000, fractionDigits: 0, to: &out.bytes)
                out.bytes.append(UInt8(ascii: "."))
                ISO8601.appendDigits(UInt64(fraction), width: fractionDigits, to: &out.bytes)
                if utc { out.bytes.append(UInt8(ascii: "Z")) }
            }
            out.appendEmpty()
        }
        return out
    }

    private func parseZoned(_ texts: VarBytes) throws(Unwritable) -> [Int64] {
        var out = [Int64](repeating: 0, count: count), bad: Int?
        texts.bytes.withUnsafeBytes { bytes in
            for row in 0..<count where isLive(row) {
                let text = UnsafeRawBufferPointer(rebasing: bytes[texts.range(row)])
                guard let micros = ZonedTimestamps.parse(text) else {
                    bad = row
                    return
                }
                out[row] = micros
            }
        }
        if let bad {
            throw Unwritable(
                row: bad, code: "bad_timestamp",
                reason: "the text is not an ISO-8601 timestamp with a zone that fits 64 bits of microseconds",
                hint: "Set parquet.parse.zoned=false to write such fields as text")
        }
        return ZonedTimestamps.forReaders(out)
    }

    // MARK: Text

    /// The text that a reader of the record would see; nil for storages without one.
    func text(_ storage: Column.Storage) -> VarBytes? {
        var out = VarBytes()
        out.offsets.reserveCapacity(count + 1)
        switch storage {
        case .utf8(let v): return v
        case .uuid(let v):
            for row in 0..<count {
                if isLive(row) { UUIDText.append(v[row * 16..<row * 16 + 16], to: &out.bytes) }
                out.appendEmpty()
            }
        case .utcMicros(let v, let digits):
            for row in 0..<count {
                if isLive(row) { ISO8601.appendTimestamp(micros: v[row], fractionDigits: digits, to: &out.bytes) }
                out.appendEmpty()
            }
        default: return nil
        }
        return out
    }

    private func parseUUIDs(_ texts: VarBytes) throws(Unwritable) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(count * 16)
        for row in 0..<count {
            guard isLive(row) else {
                out.append(contentsOf: repeatElement(0, count: 16))
                continue
            }
            guard let bytes = Self.uuid(texts[row]) else {
                throw Unwritable(
                    row: row, code: "bad_uuid", reason: "the text is not a UUID of 36 characters",
                    hint: "Write UUIDs as strings, which is the default")
            }
            out += bytes
        }
        return out
    }

    private static func uuid(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.count == 36 else { return nil }
        var digits: [UInt8] = []
        for (i, byte) in text.enumerated() {
            if i == 8 || i == 13 || i == 18 || i == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
            } else {
                guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
                digits.append(UInt8(digit))
            }
        }
        return stride(from: 0, to: 32, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    // MARK: VariableScaleDecimal

    /// Kinds that have no text are written as hexadecimal digits.
    private func geometryText(_ wkb: VarBytes) -> VarBytes {
        var out = VarBytes()
        out.offsets.reserveCapacity(count + 1)
        for row in 0..<count {
            guard isLive(row) else {
                out.appendEmpty()
                continue
            }
            if let text = WellKnownText.text(wkb[row]) {
                out.append(text.utf8)
            } else {
                for byte in wkb[row] { for nibble in [byte >> 4, byte & 15] { out.bytes.append(nibble < 10 ? nibble + 48 : nibble + 55) } }
                out.appendEmpty()
            }
        }
        return out
    }

    private func variableScaleText(_ column: Column) -> VarBytes? {
        guard let scale = column.child("scale")?.materialized(), let value = column.child("value")?.materialized(),
            case .int32(let scales) = scale.storage, case .binary(let unscaled) = value.storage
        else { return nil }
        var out = VarBytes()
        out.offsets.reserveCapacity(count + 1)
        for row in 0..<count {
            if isLive(row) { DecimalText.append(unscaled: unscaled[row], scale: Int(scales[row]), to: &out.bytes) }
            out.appendEmpty()
        }
        return out
    }
}
