import ConnectAPI
import TestSupport
import Testing

@testable import ConnectRuntime

@Suite struct CodecTests {
    private func encode(_ batch: RecordBatch, _ tables: LogTables = LogTables()) throws -> (EncodedBatch, LogTables) {
        (try tables.encode(batch, Producer.named("c").rendering), tables)
    }

    private func decode(_ encoded: EncodedBatch, _ tables: LogTables) throws -> RecordBatch {
        let body = try BatchEnvelope.open(encoded.blob, topic: encoded.batch.topic)
        return try BatchCodec.decode(body, topic: encoded.batch.topic) { number in
            guard let schema = tables.schemas.value(number) else { throw ConnectorError.corrupt("schema \(number)") }
            return schema
        }
    }

    @Test func everyBatchComesBackAsItWas() throws {
        var random = SeededGenerator.printed()
        for round in 0..<300 {
            let batch = RecordBatch.random(topic: "t", rows: Int.random(in: 1...200, using: &random), using: &random)
            let (encoded, tables) = try encode(batch)
            let decoded = try decode(encoded, tables)
            #expect(decoded.rows == batch.rows, "round \(round)")
            #expect(decoded.value?.schema == batch.value?.schema && decoded.key?.schema == batch.key?.schema)
            #expect(decoded.byteCount == batch.byteCount, "the storages are the same")
        }
    }

    @Test func everySchemaComesBackAsItWas() throws {
        var random = SeededGenerator.printed()
        for _ in 0..<300 {
            let schema = Schema.random(depth: 4, using: &random)
            #expect(try SchemaCodec.decode(SchemaCodec.encode(schema)) == schema)
        }
    }

    @Test func aSchemaUsedTwiceIsWrittenOnceAndShared() throws {
        let row = Schema.struct((0..<50).map { .init("column_\($0)", Schema(.string)) }, optional: true, name: "Row")
        let envelope = Schema.struct([.init("before", row), .init("after", row)])
        let bytes = try SchemaCodec.encode(envelope)
        #expect(bytes.count < (try SchemaCodec.encode(row)).count + 60)
        let decoded = try SchemaCodec.decode(bytes)
        #expect(decoded.fields[0].schema === decoded.fields[1].schema)
    }

    @Test func aSchemaTooDeepIsRefused() throws {
        let deep = (0..<200).reduce(Schema(.int32)) { schema, _ in .array(schema) }
        #expect(throws: ConnectorError.self) { try SchemaCodec.encode(deep) }
    }

    @Test func integersAreAsNarrowAsTheirRangeOrTheirSteps() throws {
        func size(_ values: [Int64]) throws -> Int {
            var out = ByteWriter()
            IntegerPacking.write(values, to: &out)
            let back = try ByteReader.reading(out.bytes) { try IntegerPacking.read(values.count, of: Int64.self, from: &$0) }
            #expect(back == values)
            return out.bytes.count
        }
        #expect(try size((0..<1000).map { 5_000_000_000 + $0 % 200 }) < 1020)
        #expect(try size((0..<1000).map { 5_000_000_000 + $0 * 100_000 }) < 1020, "steps")
        #expect(try size((0..<1000).map { $0 % 2 == 0 ? .min : .max }) <= 8001)
        #expect(try size([.min, .max, 0, -1, 1, .max, .min, .min, 5]) <= 73)
        #expect(try size([]) == 1)
        #expect(try size([7]) == 9)
    }

    @Test func aBatchRefersToItsSchemasByNumber() throws {
        let tables = LogTables()
        let (first, _) = try encode(.numbers([1]), tables)
        #expect(first.schemas.count == 3)
        let (second, _) = try encode(.numbers([2]), tables)
        #expect(second.schemas.count == 3, "not yet durable: the rows travel again")
        tables.schemas.stored(first.schemas.map(\.number))
        let (third, _) = try encode(.numbers([3]), tables)
        #expect(third.schemas.isEmpty)
        #expect(third.blob.count < 80, "\(third.blob.count) bytes for a row of three numbers and a text")
    }

    @Test func aBatchThatBreaksTheRulesIsRefusedWhenWritten() throws {
        let broken = Column(Schema(.string), count: 2, .int64([1, 2]))
        let batch = RecordBatch(
            topic: "t", count: 2, key: nil, value: broken, timestamps: .constant(.integer(0), RecordBatch.timestampSchema, count: 2))
        let error = #expect(throws: ConnectorError.self) { try encode(batch) }
        #expect(error?.code == "log.invalid_batch")
    }

    // MARK: Damaged bytes

    @Test func aFlippedBitIsFoundByTheChecksum() throws {
        var random = SeededGenerator.printed()
        let (encoded, _) = try encode(.numbers(0..<500, padding: 10))
        for _ in 0..<300 {
            var blob = encoded.blob
            blob[Int.random(in: blob.indices, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            let error = #expect(throws: ConnectorError.self) { try BatchEnvelope.open(blob, topic: "t") }
            #expect(error?.code == "log.corrupt")
        }
        #expect(throws: ConnectorError.self) { try BatchEnvelope.open(encoded.blob, topic: "another") }
        for n in 0..<encoded.blob.count { #expect(throws: ConnectorError.self) { try BatchEnvelope.open(Array(encoded.blob[..<n]), topic: "t") } }
    }

    /// Below the checksum: bytes that nobody wrote are refused or read as some batch, but nothing traps.
    @Test func damagedBodiesNeverTrap() throws {
        var random = SeededGenerator.printed()
        var refused = 0
        for _ in 0..<400 {
            let batch = RecordBatch.random(topic: "t", rows: Int.random(in: 1...40, using: &random), using: &random)
            let (encoded, tables) = try encode(batch)
            let body = try BatchEnvelope.open(encoded.blob, topic: "t")
            for _ in 0..<10 {
                var damaged = body
                switch Int.random(in: 0..<3, using: &random) {
                case 0: damaged[Int.random(in: damaged.indices, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 1: damaged.removeLast(Int.random(in: 1...damaged.count, using: &random))
                default: for _ in 0..<8 { damaged[Int.random(in: damaged.indices, using: &random)] = UInt8.random(in: 0...255, using: &random) }
                }
                do {
                    let read = try BatchCodec.decode(damaged, topic: "t") { number in
                        guard let schema = tables.schemas.value(number) else { throw ConnectorError.corrupt("schema") }
                        return schema
                    }
                    if ([read.key, read.value].compactMap { $0 } + read.headers.map(\.values)).allSatisfy({ $0.isSmall }) { _ = read.rows }
                } catch let error as ConnectorError {
                    #expect(error.code == "log.corrupt")
                    refused += 1
                }
            }
        }
        #expect(refused > 1000)
    }

    @Test func randomBytesNeverTrap() throws {
        var random = SeededGenerator.printed()
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            _ = try? SchemaCodec.decode(bytes)
            _ = try? BatchEnvelope.open(bytes, topic: "t")
            _ = try? OffsetMap(encoded: bytes)
            _ = try? Rendering(encoded: bytes)
            _ = try? BatchCodec.decode(bytes, topic: "t") { [Schema(.int64), Schema(.string), .array(Schema(.bytes))][Int($0 % 3)] }
        }
    }
}

extension Column {
    /// Damaged lengths can make a list of a constant claim a billion elements, which cost nothing until somebody makes rows of them.
    fileprivate var isSmall: Bool {
        guard count < 10_000 else { return false }
        return switch storage {
        case .list(_, let values): values.isSmall
        case .map(_, let keys, let values): keys.isSmall && values.isSmall
        case .struct(let children): children.allSatisfy(\.isSmall)
        default: true
        }
    }
}
