import ConnectAPI
import Testing

/// Shape operations agree with row views, for every schema and every storage.
@Suite struct ColumnLawTests {
    @Test func slicingIsTakingRows() {
        var make = RandomColumns()
        for _ in 0..<400 {
            let column = make.column(make.schema(), count: make.int(0...140))
            let low = make.int(0...column.count), high = make.int(low...column.count)
            let slice = column.slice(low..<high)
            #expect(slice.rows == Array(column.rows[low..<high]) && slice.unavailableRows == Array(column.unavailableRows[low..<high]))
            #expect(slice.schema == column.schema && slice.count == high - low)
        }
    }

    @Test func selectingIsTakingRowsInTheOrderGiven() {
        var make = RandomColumns()
        for _ in 0..<400 {
            let column = make.column(make.schema(), count: make.int(1...80))
            let rows = (0..<make.int(0...60)).map { _ in make.int(0...column.count - 1) }
            let picked = column.select(rows)
            #expect(picked.rows == rows.map { column[$0] } && picked.unavailableRows == rows.map { column.unavailableRows[$0] })
        }
    }

    @Test func concatenatingIsJoiningRowsWhateverTheStorages() {
        var make = RandomColumns()
        for _ in 0..<400 {
            let schema = make.schema()
            let parts = (0..<make.int(1...4)).map { _ in make.column(schema, count: make.int(0...40)) }
            let joined = Column.concatenating(parts)
            #expect(joined.rows == parts.flatMap(\.rows) && joined.unavailableRows == parts.flatMap(\.unavailableRows))
        }
    }

    @Test func slicesJoinToTheWhole() {
        var make = RandomColumns()
        for _ in 0..<200 {
            let column = make.column(make.schema(), count: make.int(0...120))
            let cut = make.int(0...column.count)
            #expect(Column.concatenating([column.slice(0..<cut), column.slice(cut..<column.count)]).rows == column.rows)
        }
    }

    @Test func materializedRowsAreTheSameWithoutConstants() {
        func hasConstant(_ column: Column) -> Bool {
            switch column.storage {
            case .constant: true
            case .struct(let children): children.contains(where: hasConstant)
            case .list(_, let values): hasConstant(values)
            case .map(_, let keys, let values): hasConstant(keys) || hasConstant(values)
            default: false
            }
        }
        var make = RandomColumns()
        for _ in 0..<400 {
            let column = make.column(make.schema(), count: make.int(0...50))
            let flat = column.materialized()
            #expect(!hasConstant(flat) && flat.rows == column.rows && flat.unavailableRows == column.unavailableRows)
        }
    }

    @Test func rowsMakeAColumnOfTheSameRows() {
        var make = RandomColumns()
        for _ in 0..<400 {
            let column = make.column(make.schema(), count: make.int(0...50))
            #expect(Column(column.schema, column.rows).rows == column.rows)
        }
    }

    @Test func childrenOfAConstantStructAreConstants() {
        let schema = Schema.struct([.init("a", Schema(.int32)), .init("b", Schema(.string, optional: true))], optional: true)
        let column = Column.constant(.struct([1, nil]), schema, count: 3)
        #expect(column.child("a")?.rows == [1, 1, 1] && column.child("b")?.rows == [.null, .null, .null] && column.child("c") == nil)
        #expect(Column.constant(.null, schema, count: 2).child("a")?.rows == [.null, .null])
    }

    @Test func batchesSliceAndSelectAllTheirColumns() {
        var make = RandomColumns()
        for _ in 0..<100 {
            let count = make.int(1...50)
            let batch = RecordBatch(
                topic: "t", count: count, key: make.column(make.schema(), count: count), value: make.column(make.schema(), count: count),
                tombstones: Bitmap((0..<count).map { _ in make.chance(5) }),
                timestamps: make.column(RecordBatch.timestampSchema, count: count),
                headers: [
                    HeaderColumn(
                        "h", make.column(make.schema(depth: 0), count: count), present: Bitmap((0..<count).map { _ in make.chance(2) }))
                ])
            let rows = (0..<count).filter { _ in make.chance(2) }
            let picked = batch.select(rows)
            #expect(picked.key?.rows == rows.map { batch.key![$0] } && picked.value?.rows == rows.map { batch.value![$0] })
            #expect((0..<rows.count).allSatisfy { picked.isTombstone($0) == batch.isTombstone(rows[$0]) })
            #expect((0..<rows.count).allSatisfy { picked.headers[0].present![$0] == batch.headers[0].present![rows[$0]] })
            #expect(batch.slice(0..<count / 2).timestamps.rows == Array(batch.timestamps.rows[0..<count / 2]))
        }
    }
}
