import ConnectAPI

/// `io.debezium.transforms.ExtractChangedRecordState`: headers that list which columns an update changed and which it left alone.
///
/// Columns are compared as a whole, one pair of `before` and `after` after the other; the lists are then written row by row from the bits.
/// Rows that have only one of both get empty lists, so that every change event has the headers.
struct ExtractChangedRecordState: Transform {
    static let className = "io.debezium.transforms.ExtractChangedRecordState"

    struct Configuration: ConnectConfiguration {
        @Field(
            "header.changed.name", importance: .low, doc: "The header for the names of changed columns; unset: none", order: 1, width: .long,
            displayName: "Header change name.")
        var changedHeader: String?
        @Field(
            "header.unchanged.name", importance: .low, doc: "The header for the names of columns left alone; unset: none", order: 1, width: .long,
            displayName: "Header unchanged name.")
        var unchangedHeader: String?
        init() {}
    }

    private struct Target: Sendable {
        let schema: Schema
        let listsChanged: Bool

        init?(_ header: String?, listsChanged: Bool) {
            guard let header, !header.trimmingSpaces().isEmpty else { return nil }
            schema = Schema(.array, optional: true, name: header, element: Schema(.string, optional: true))
            self.listsChanged = listsChanged
        }
    }
    private let targets: [Target]

    init(_ configuration: Configuration) {
        targets = [
            Target(configuration.changedHeader, listsChanged: true), Target(configuration.unchangedHeader, listsChanged: false),
        ].compactMap { $0 }
    }

    func apply(_ input: TransformedBatch) -> [TransformedBatch] {
        let batch = input.batch
        guard !targets.isEmpty, let envelope = batch.value, Envelope.recognizes(envelope.schema), let before = envelope.child("before"),
            let after = envelope.child("after"), before.schema.fields.map(\.name) == after.schema.fields.map(\.name)
        else { return [input] }
        var isEvent = envelope.validRows ?? Bitmap(repeating: true, count: batch.count)
        if let tombstones = batch.tombstones { isEvent = isEvent & !tombstones }
        if isEvent.noneSet { return [input] }
        var both = isEvent
        for side in [before, after] { if let valid = side.validRows { both = both & valid } }
        let equal = after.schema.fields.indices.map { before.child(at: $0).equalRows(after.child(at: $0)) }
        var out = input
        for target in targets {
            let names = Self.lists(after.schema.fields.map(\.name), in: both) { equal[$0][$1] != target.listsChanged }
            let values = Column(target.schema, count: batch.count, names)
            out.batch.headers.append(HeaderColumn(target.schema.name ?? "", values, present: isEvent.allSet ? nil : isEvent))
        }
        return [out]
    }

    /// For each row that is in `rows` the names `isListed` says yes to; an empty list for the others.
    private static func lists(_ names: [String], in rows: Bitmap, _ isListed: (_ column: Int, _ row: Int) -> Bool) -> Column.Storage {
        let texts = names.map { Array($0.utf8) }
        var offsets: [Int32] = [0], items = VarBytes()
        offsets.reserveCapacity(rows.count + 1)
        for row in 0..<rows.count {
            if rows[row] { for column in texts.indices where isListed(column, row) { items.append(texts[column]) } }
            offsets.append(Int32(items.count))
        }
        return .list(offsets: offsets, Column(Schema(.string, optional: true), count: items.count, .utf8(items)))
    }
}
