import ConnectAPI
import TestSupport
import Testing

@testable import ConnectorsPostgres

@Suite struct DecodeBuilderTests {
    private func ops(_ batch: RecordBatch) -> [String] {
        (0..<batch.count).map { batch.isTombstone($0) ? "tombstone" : batch.value!.child("op")![$0].stringValue! }
    }

    @Test func movedKeyIsADeleteATombstoneAndACreate() throws {
        let batch = try Fixtures.batches(
            Fixtures.transactions(),
            [Fixtures.update([.text("2"), .text("a"), .null], old: [.text("1"), .null, .null]), Fixtures.insert([.text("3"), .text("a"), .null])])[0]
        #expect(ops(batch) == ["d", "tombstone", "c", "c"])
        #expect((0..<4).map { batch.key![$0] } == [.struct([1]), .struct([1]), .struct([2]), .struct([3])])
        // NOT NULL columns the old tuple does not have show their default.
        #expect(batch.value!.child("before")![0] == .struct([1, "d", .null]))
        #expect(batch.value!.child("after")![2] == .struct([2, "a", .null]))
        let names = batch.headers.map(\.name)
        #expect(Array(names.prefix(2)) == ["__debezium.newkey", "__debezium.oldkey"])
        #expect(batch.headers[0].present == Bitmap([true, true, false, false]) && batch.headers[0].values[0] == .struct([2]))
        #expect(batch.headers[1].present == Bitmap([false, false, true, false]) && batch.headers[1].values[2] == .struct([1]))
    }

    @Test func unchangedValueComesFromAFullOldTupleElseIsUnavailable() throws {
        let schema = try Fixtures.transactions()
        let batch = try Fixtures.batches(
            schema,
            [
                Fixtures.update([.text("1"), .text("a"), .unchanged], old: [.text("1"), .text("a"), .text("big")], isFull: true),
                Fixtures.update([.text("1"), .text("a"), .unchanged]),
            ])[0]
        let column = batch.value!.child("after")!.child("b")!
        #expect(column[0] == "big" && column[1] == "__debezium_unavailable_value")
        #expect(column.unavailable == Bitmap([false, true]))
        #expect(ops(batch) == ["u", "u"])
        #expect(batch.value!.child("before")![0] == .struct([1, "a", "big"]))
        #expect(batch.value!.child("before")!.isNull(1))
    }

    @Test func truncationsStandInBatchesWithoutKey() throws {
        let row = Fixtures.insert([.text("1"), .text("a"), .null])
        let batches = try Fixtures.batches(Fixtures.transactions(), [row, row, nil, row])
        #expect(batches.map(\.count) == [2, 1, 1])
        #expect(batches.map { $0.key == nil } == [false, true, false])
        #expect(batches.flatMap(ops) == ["c", "c", "t", "c"])
        #expect(batches[1].value!.child("before")!.isNull(0) && batches[1].value!.child("after")!.isNull(0))
    }

    @Test func excludedKeyColumnStaysInTheKey() throws {
        let schema = try Fixtures.transactions(includes: { $0.name == "b" })
        let batch = try Fixtures.batches(schema, [Fixtures.insert([.text("7"), .text("a"), .text("x")])])[0]
        #expect(schema.row.fields.map(\.name) == ["b"])
        #expect(batch.key![0] == .struct([7]))
        #expect(batch.value!.child("after")![0] == .struct(["x"]))
        #expect(schema.snapshotColumns.map(\.name) == ["id", "b"])
    }

    @Test func customKeyReplacesThePrimaryKey() throws {
        let schema = try Fixtures.transactions(keyColumnNames: ["b", "a"])
        let batch = try Fixtures.batches(schema, [Fixtures.insert([.text("7"), .text("a"), .null])])[0]
        #expect(batch.key![0] == .struct([.null, "a"]))
        #expect(throws: ConnectorError.self) { try Fixtures.transactions(keyColumnNames: ["absent"]) }
    }

    @Test func unsupportedTypesAreLeftOutAndNamed() throws {
        let columns = [Fixtures.column("id", 20, notNull: true), Fixtures.column("l", 628), Fixtures.column("x", 999)]
        let schema = try Fixtures.transactions(columns: columns)
        #expect(schema.row.fields.map(\.name) == ["id"])
        #expect(schema.omitted == ["l line", "x oid 999"])
        let batch = try Fixtures.batches(schema, [Fixtures.insert([.text("7"), .text("{1,2,3}"), .text("?")])])[0]
        #expect(batch.value!.child("after")![0] == .struct([7]))
    }

    @Test func notANumberBecomesNullAndIsCounted() throws {
        let columns = [Fixtures.column("id", 20, notNull: true), Fixtures.column("n", 1700), Fixtures.column("m", 1700, modifier: (10 << 16 | 2) + 4)]
        var builder = ChangeBatchBuilder(try Fixtures.transactions(columns: columns))
        let message = Fixtures.insert([.text("1"), .text("NaN"), .text("Infinity")])
        try message.withUnsafeBytes { bytes in
            guard case .change(let change) = try PgOutputMessage.parse(bytes) else { return }
            try builder.append(change, in: bytes, ChangeInfo())
        }
        let batch = builder.finish()[0]
        #expect(batch.value!.child("after")![0] == .struct([1, .null, .null]))
        #expect(builder.conversionFailures == 2)
    }

    @Test func brokenMessageLeavesTheBuilderAsItWas() throws {
        var builder = ChangeBatchBuilder(try Fixtures.transactions())
        let good = Fixtures.insert([.text("1"), .text("a"), .null]), short = Array(good.dropLast(3)), narrow = Fixtures.insert([.text("1")])
        for message in [good, short, narrow, good] {
            message.withUnsafeBytes { bytes in
                guard case .change(let change)? = try? PgOutputMessage.parse(bytes) else { return }
                _ = try? builder.append(change, in: bytes, ChangeInfo())
            }
        }
        let batch = builder.finish()[0]
        #expect(batch.count == 2)
        #expect((0..<2).allSatisfy { batch.value!.child("after")![$0] == .struct([1, "a", .null]) })
    }

    /// Invariant 3 and the rule that boundaries carry no meaning: however changes are cut into batches, the rows are the same.
    @Test func rowsAreTheSameHoweverTheyAreCut() throws {
        var generator = SeededGenerator.printed()
        let schema = try Fixtures.transactions()
        func cell() -> Fixtures.Cell { Bool.random(using: &generator) ? .null : .text("v\(Int.random(in: 0...99, using: &generator))") }
        let messages = (0..<200).map { i -> [UInt8] in
            let id = Fixtures.Cell.text("\(i)")
            return switch Int.random(in: 0..<5, using: &generator) {
            case 0: Fixtures.delete([id, .null, .null])
            case 1: Fixtures.update([id, .text("x"), .unchanged])
            case 2: Fixtures.update([id, .text("x"), cell()], old: [.text("-\(i)"), .null, .null])
            case 3: Fixtures.update([id, .text("x"), .unchanged], old: [id, .text("y"), cell()], isFull: true)
            default: Fixtures.insert([id, .text("x"), cell()])
            }
        }
        let whole = try Fixtures.batches(schema, messages)[0]
        var at = 0, row = 0
        while at < messages.count {
            let end = min(messages.count, at + Int.random(in: 1...40, using: &generator))
            let part = try Fixtures.batches(schema, Array(messages[at..<end]))[0]
            for i in 0..<part.count {
                #expect(part.key![i] == whole.key![row])
                #expect(part.isTombstone(i) == whole.isTombstone(row))
                #expect(part.value!.child("before")![i] == whole.value!.child("before")![row])
                #expect(part.value!.child("after")![i] == whole.value!.child("after")![row])
                #expect(part.value!.child("op")![i] == whole.value!.child("op")![row])
                let missing = part.value!.child("after")!.child("b")!.unavailable?[i] ?? false
                #expect(missing == (whole.value!.child("after")!.child("b")!.unavailable?[row] ?? false))
                row += 1
            }
            at = end
        }
        #expect(row == whole.count)
    }

    @Test func snapshotMarksOutrankEachOther() throws {
        func marks(_ rows: Int, _ first: SnapshotMarker?, _ last: SnapshotMarker?) throws -> [String] {
            var builder = SnapshotBatchBuilder(try Fixtures.transactions(), SnapshotInfo(lsn: 77, xid: 5, startedMicros: 1_000_001))
            let stream = Fixtures.copyHeader + (0..<rows).flatMap { Fixtures.copyTuple([Fixtures.be(Int64($0)), [97], nil]) } + Fixtures.be(Int16(-1))
            try stream.withUnsafeBytes { try builder.append($0) }
            let batch = builder.finish(processedNanos: 9_000_000, first: first, last: last)!
            let source = batch.value!.child("source")!
            #expect(source.child("sequence")![0] == "[null,\"77\"]" && source.child("ts_us")![0] == 1_000_001)
            return (0..<rows).map { source.child("snapshot")![$0].stringValue! }
        }
        #expect(try marks(3, .first, .lastInDataCollection) == ["first", "true", "last_in_data_collection"])
        #expect(try marks(1, .first, .lastInDataCollection) == ["first"])
        #expect(try marks(1, .firstInDataCollection, .lastInDataCollection) == ["last_in_data_collection"])
        #expect(try marks(1, .first, .last) == ["last"])
        #expect(try marks(2, nil, nil) == ["true", "true"])
    }

    @Test func markOfARowCanBeChangedAfterwards() throws {
        var builder = SnapshotBatchBuilder(try Fixtures.transactions(), SnapshotInfo(lsn: 77, xid: 5, startedMicros: 1))
        let stream = Fixtures.copyHeader + (0..<3).flatMap { Fixtures.copyTuple([Fixtures.be(Int64($0)), [97], nil]) }
        try stream.withUnsafeBytes { try builder.append($0) }
        let batch = builder.finish(processedNanos: 1)!.settingSnapshotMarker(.last, row: 2)
        let marks = batch.value!.child("source")!.child("snapshot")!
        #expect((0..<3).map { marks[$0].stringValue } == ["true", "true", "last"])
    }

    @Test(arguments: [
        (ColumnMask.truncate(2), Value.string("hé"), Value.null), (.asterisks(3), "***", "***"), (.asterisks(0), "", ""),
        (.hash(algorithm: "SHA-256", salt: "s", version: 2), .null, .null),
    ])
    func masksHideCharacterColumnsInKeysAndValues(_ mask: ColumnMask, _ shown: Value, _ null: Value) throws {
        let columns = [Fixtures.column("id", 20, notNull: true), Fixtures.column("a", 25, modifier: 44)]
        let schema = try Fixtures.transactions(key: [1], columns: columns, mask: { _ in mask })
        let batch = try Fixtures.batches(schema, [Fixtures.insert([.text("7"), .text("héllo")]), Fixtures.insert([.text("8"), .null])])[0]
        let expected: Value =
            if case .hash = mask { .string(String(decoding: Digest.hexadecimal("SHA-256", Array("shéllo".utf8)).prefix(40), as: UTF8.self)) } else { shown }
        #expect(batch.key![0] == .struct([expected]))
        #expect(batch.value!.child("after")![0] == .struct([7, expected]))
        #expect(batch.value!.child("after")![1] == .struct([8, null]))
        #expect(schema.row.fields[0].schema.parameters.isEmpty && schema.row.fields[1].schema.parameters.count == 1)
    }

    @Test func digestsAreJavas() {
        func digest(_ algorithm: String, _ text: String) -> String { String(decoding: Digest.hexadecimal(algorithm, Array(text.utf8)), as: UTF8.self) }
        #expect(digest("SHA-256", "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(digest("MD5", "abc") == "900150983cd24fb0d6963f7d28e17f72")
        #expect(digest("SHA-1", "abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(!Digest.isKnown("SHA-257") && Digest.isKnown("sha-512") && Digest.isKnown("SHA3-256"))
    }

    @Test func maskKeysAreReadAndWrongOnesRefused() throws {
        let rules = try ColumnMaskRules(
            PostgresConfiguration.parse([
                "column.truncate.to.5.chars": "public.t.a", "column.mask.with.4.chars": "public.t.a,public.t.b",
                "column.mask.hash.v2.SHA-256.with.salt.x.y": "public.t.c", "column.mask.hash.MD5.with.salt.z": "public.t.d",
            ]).configuration)
        func mask(_ column: String) -> ColumnMask? { rules.mask(column, schema: "public", table: "t") }
        #expect(mask("a") == .truncate(5) && mask("b") == .asterisks(4) && mask("e") == nil)
        #expect(mask("c") == .hash(algorithm: "SHA-256", salt: "x.y", version: 2) && mask("d") == .hash(algorithm: "MD5", salt: "z", version: 1))
        for key in ["column.truncate.to.x.chars", "column.truncate.to.0.chars", "column.mask.with.4", "column.mask.hash.SHA-999.with.salt.s"] {
            #expect(throws: ConnectorError.self) { try ColumnMaskRules(PostgresConfiguration.parse([key: "a.b.c"]).configuration) }
        }
    }
}
