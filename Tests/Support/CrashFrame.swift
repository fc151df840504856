public import ConnectAPI

/// Frames whose content is a function of their number: what a program that is killed appended, and what must be there afterwards.
public enum CrashFrame {
    public static let connector = "crash"

    /// Whether the frame goes through a staged unit.
    public static func isUnit(_ n: Int64) -> Bool { n % 7 == 3 }

    /// Records of topic `a`, and in every third frame of topic `b`; some frames are larger than what one batch of the log holds.
    public static func batches(_ n: Int64) -> [RecordBatch] {
        let padding = n % 50 == 49 ? 20_000 : 10
        var batches = [batch("a", n, rows: n % 50 == 49 ? 100 : n % 5 + 1, padding: padding)]
        if n % 3 == 0 { batches.append(batch("b", n, rows: 2, padding: 1)) }
        return batches
    }

    public static func position(_ n: Int64) -> SourcePosition { SourcePosition(partition: ["server": "s"], offset: ["n": .integer(n)]) }

    private static func batch(_ topic: String, _ n: Int64, rows: Int64, padding: Int) -> RecordBatch {
        let text = String(repeating: "x", count: padding)
        let value = Column(schema, (0..<rows).map { .struct([.integer(n * 1000 + $0), .string(text)]) })
        return RecordBatch(
            topic: topic, count: Int(rows), key: nil, value: value,
            timestamps: .constant(.integer(n), RecordBatch.timestampSchema, count: Int(rows)))
    }

    private static let schema = Schema.struct([.init("n", Schema(.int64)), .init("text", Schema(.string))], name: "test.Crash")
}
