/// The labels of a table's enum columns. A value that is none of them means ALTER TYPE … ADD VALUE, of which the stream says nothing: the schema is
/// to be made again before the change is taken.
struct EnumLabels {
    private let columns: [(position: Int, labels: [[UInt8]])]

    /// nil: the table has no enum column.
    init?(_ schema: TableSchema) {
        columns = schema.columns.filter { !$0.labels.isEmpty }.map { ($0.position, $0.labels.map { Array($0.utf8) }) }
        if columns.isEmpty { return nil }
    }

    /// The first label in a tuple that is not known.
    func unknown(in message: UnsafeRawBufferPointer, at tuple: Int) throws -> [UInt8]? {
        do throws(MalformedMessage) {
            var cursor = ByteCursor(message, at: tuple), next = 0
            for position in 0..<max(0, Int(try cursor.int16())) {
                let kind = try cursor.uint8()
                var value: UnsafeRawBufferPointer?
                if kind == UInt8(ascii: "t") || kind == UInt8(ascii: "b") { value = try cursor.take(Int(try cursor.int32())) }
                guard columns[next].position == position else { continue }
                if let value, !columns[next].labels.contains(where: { $0.elementsEqual(value) }) { return Array(value) }
                next += 1
                if next == columns.count { return nil }
            }
            return nil
        } catch {
            throw error.located(in: "labels of a change")
        }
    }
}
