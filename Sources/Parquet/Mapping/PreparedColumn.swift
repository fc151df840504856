import ConnectAPI

/// A column whose leaves have the file's physical types. Making it is the only step that can refuse a row, so it happens for a whole
/// batch before anything is written.
indirect enum PreparedColumn {
    /// Every row is null.
    case null
    /// Every row has this one value.
    case constant(LeafValues)
    case leaf(LeafValues, Bitmap?)
    case group([PreparedColumn], Bitmap?)
    case list([Int32], PreparedColumn, Bitmap?)
    case map([Int32], key: PreparedColumn, value: PreparedColumn, Bitmap?)
}

/// Values of a leaf, one a row, arbitrary in null rows.
enum LeafValues {
    /// 0 or 1.
    case boolean([UInt8])
    case int32([Int32])
    case int64([Int64])
    case float([Float])
    case double([Double])
    case bytes(VarBytes)
    case fixed([UInt8], length: Int)
}

/// A row that Parquet cannot take as it is.
package struct RejectedRow: Error, Sendable, Hashable {
    /// From the start of the column given to `write`.
    package let row: Int
    /// The field, its parents first.
    package let path: [String]
}

/// Why a value does not fit, before the place is known from the top.
struct Unwritable: Error {
    var row: Int
    var path: [String] = []
    var code: String
    var reason: String
    var hint: String?
    /// A column that is built wrongly is nobody's bad row.
    var disposition: ConnectorError.Disposition = .reject

    func below(_ name: String) -> Unwritable {
        var copy = self
        copy.path.insert(name, at: 0)
        return copy
    }

    var error: ConnectorError {
        ConnectorError(
            "parquet.\(code)", disposition, "Field \(path.joined(separator: ".")), row \(row) of the batch: \(reason)", hint: hint,
            underlying: RejectedRow(row: row, path: path))
    }
}

/// Brings columns into the file's physical types.
struct ColumnPreparation {
    let options: ParquetOptions

    /// `live`: the rows that count, nil for all; where a parent is null its children hold anything.
    func prepare(_ field: MappedField, _ column: Column, live: Bitmap?) throws(Unwritable) -> PreparedColumn {
        do throws(Unwritable) {
            return try prepareValues(field, column, live: live)
        } catch {
            throw error.below(field.name)
        }
    }

    private func prepareValues(_ field: MappedField, _ column: Column, live: Bitmap?) throws(Unwritable) -> PreparedColumn {
        if let live, live.noneSet { return .null }
        if case .constant(let value) = column.storage, column.unavailable == nil, column.validity == nil {
            return try constant(field, value, column, live: live)
        }
        var column = column, validity = column.validRows
        if let unavailable = column.unavailable, !unavailable.noneSet {
            (column, validity) = resolveUnavailable(field, column, unavailable, validity)
        }
        if case .constant = column.storage { column = column.materialized().with(validity: validity) }
        let rows = Self.both(live, validity)
        if !field.isOptional, let validity { try refuseNulls(validity, live) }
        switch (field.kind, column.storage) {
        case (.leaf(_, let conversion), _):
            if let rows, rows.noneSet { return .null }
            return .leaf(try LeafConversion(rows: rows, count: column.count).convert(column, conversion), validity)
        case (.group(let fields), .struct(let children)) where fields.count == children.count:
            var prepared: [PreparedColumn] = []
            // A member that an object without a schema does not have is null; there is nothing the source kept back.
            let children = column.schema.isSchemaless ? children.map { $0.with(unavailable: nil) } : children
            for (field, child) in zip(fields, children) { prepared.append(try prepare(field, child, live: rows)) }
            return .group(prepared, validity)
        case (.list(let element), .list(let offsets, let values)):
            let elements = Self.elements(of: rows, offsets, count: values.count)
            let prepared = try inRows(of: offsets) { () throws(Unwritable) in try prepare(element, values, live: elements) }
            return .list(offsets, prepared, validity)
        case (.map(let key, let value), .map(let offsets, let keys, let values)),
            (.entries(let key, let value), .map(let offsets, let keys, let values)):
            let elements = Self.elements(of: rows, offsets, count: keys.count)
            let preparedKeys = try inRows(of: offsets) { () throws(Unwritable) in try prepare(key, keys, live: elements) }
            let preparedValues = try inRows(of: offsets) { () throws(Unwritable) in try prepare(value, values, live: elements) }
            return .map(offsets, key: preparedKeys, value: preparedValues, validity)
        default: throw Self.storageMismatch(column)
        }
    }

    private func constant(_ field: MappedField, _ value: Value, _ column: Column, live: Bitmap?) throws(Unwritable) -> PreparedColumn {
        if value.isNull {
            if !field.isOptional { try refuseNulls(Bitmap(repeating: false, count: column.count), live) }
            return .null
        }
        switch field.kind {
        case .leaf(_, let conversion):
            if column.count == 0 { return .null }
            return .constant(try LeafConversion(rows: nil, count: 1).convert(Column(column.schema, [value]), conversion))
        case .group(let fields):
            var prepared: [PreparedColumn] = []
            for (i, field) in fields.enumerated() { prepared.append(try prepare(field, column.child(at: i), live: live)) }
            return .group(prepared, nil)
        case .list, .map, .entries: return try prepareValues(field, column.materialized(), live: live)
        }
    }

    private func refuseNulls(_ validity: Bitmap, _ live: Bitmap?) throws(Unwritable) {
        let missing = Self.both(live, !validity)!
        guard let row = missing.setPositions.first else { return }
        throw Unwritable(
            row: row, code: "null_in_required", reason: "the value is null and the field is required",
            hint: "Set parquet.keep.required=false to write every field as optional")
    }

    /// Unsent values become the placeholder in text and bytes, and null elsewhere.
    private func resolveUnavailable(_ field: MappedField, _ column: Column, _ unavailable: Bitmap, _ validity: Bitmap?)
        -> (Column, Bitmap?)
    {
        let nulled = Self.both(validity, !unavailable)
        guard case .placeholder(let text) = options.unavailable, case .leaf(_, let conversion) = field.kind,
            conversion == .text || conversion == .direct
        else { return (column, nulled) }
        var column = column
        if case .constant = column.storage { column = column.materialized() }
        let bytes: VarBytes
        switch column.storage {
        case .utf8(let v), .binary(let v): bytes = v
        case .uuid, .utcMicros:
            let rendered = LeafConversion(rows: nulled, count: column.count).text(column.storage)
            guard let rendered else { return (column, nulled) }
            bytes = rendered
        default: return (column, nulled)
        }
        var out = VarBytes()
        out.offsets.reserveCapacity(column.count + 1)
        for row in 0..<column.count {
            if unavailable[row] {
                out.append(text.utf8)
            } else if validity.map({ $0[row] }) ?? true {
                out.append(bytes[row])
            } else {
                out.appendEmpty()
            }
        }
        let known = validity.map { $0 | unavailable }
        let storage: Column.Storage = column.schema.type == .bytes ? .binary(out) : .utf8(out)
        return (Column(column.schema, count: column.count, storage, validity: known), known)
    }

    // MARK: Rows and elements

    static func both(_ a: Bitmap?, _ b: Bitmap?) -> Bitmap? {
        guard let a else { return b }
        return b.map { a & $0 } ?? a
    }

    /// The elements that belong to rows that count. Nil when all do, also when the others have no elements.
    private static func elements(of rows: Bitmap?, _ offsets: [Int32], count: Int) -> Bitmap? {
        guard let rows else { return nil }
        let stray = (0..<rows.count).contains { !rows[$0] && offsets[$0] < offsets[$0 + 1] }
        guard stray else { return nil }
        var out = Bitmap(repeating: false, count: count)
        for row in 0..<rows.count where rows[row] { for i in offsets[row]..<offsets[row + 1] { out[Int(i)] = true } }
        return out
    }

    /// Turns the element that an error names into its row.
    private func inRows<R>(of offsets: [Int32], _ body: () throws(Unwritable) -> R) throws(Unwritable) -> R {
        do throws(Unwritable) {
            return try body()
        } catch {
            var error = error
            error.row = max(0, (offsets.firstIndex { $0 > error.row } ?? offsets.count) - 1)
            throw error
        }
    }

    static func storageMismatch(_ column: Column) -> Unwritable {
        Unwritable(
            row: 0, code: "storage_mismatch", reason: "the column is not stored as its type \(column.schema.type.rawValue) allows",
            hint: "This is a bug of the connector or transform that made the column; please report it", disposition: .stop)
    }
}
