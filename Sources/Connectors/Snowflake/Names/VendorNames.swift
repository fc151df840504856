/// Names as Snowflake's own connector makes them, so that a deployment is taken over with its tables, stages and pipes.
enum VendorNames {
    /// A connector or topic name as an identifier: unchanged when it is one; otherwise other characters become `_` and the Java hash code of
    /// the whole is appended, which keeps `a-b` and `a.b` apart.
    static func valid(_ name: String) -> String {
        if isPlain(name) { return name }
        var out = "", rest = Substring(name.replacing(".*", with: ""))
        if let first = rest.first, first.isASCII, first.isLetter || first == "_" {
            out.append(first)
            rest.removeFirst()
        } else {
            out.append("_")
        }
        // Java sees UTF-16 units, and makes an underscore of each.
        for unit in rest.utf16 {
            switch unit {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x24: out.unicodeScalars.append(UnicodeScalar(UInt8(unit)))
            default: out.append("_")
            }
        }
        let hash = name.utf16.reduce(Int32(0)) { $0 &* 31 &+ Int32($1) }
        // `Math.abs` leaves the smallest number negative.
        return "\(out)_\(hash == .min ? hash : abs(hash))"
    }

    /// A letter or `_`, then at least one of letters, digits, `_` and `$`.
    static func isPlain(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard bytes.count >= 2 else { return false }
        return bytes.enumerated().allSatisfy { i, c in
            switch c {
            case 0x41...0x5A, 0x61...0x7A, 0x5F: true
            case 0x30...0x39, 0x24: i > 0
            default: false
            }
        }
    }

    private static func prefix(_ connector: String) -> String { "SNOWFLAKE_KAFKA_CONNECTOR_\(valid(connector))" }

    static func stage(_ connector: String, table: ObjectName) -> ObjectName {
        ObjectName(table.parts.dropLast() + ["\(prefix(connector))_STAGE_\(table.name)".uppercased()])
    }

    static func pipe(_ connector: String, table: ObjectName, partition: Int32) -> ObjectName {
        ObjectName(table.parts.dropLast() + ["\(prefix(connector))_PIPE_\(table.name)_\(partition)".uppercased()])
    }

    /// The pipe every table has for Snowpipe Streaming.
    static func streamingPipe(_ table: ObjectName) -> ObjectName { ObjectName(table.parts.dropLast() + ["\(table.name)-STREAMING"]) }
}

extension String {
    fileprivate func replacing(_ needle: String, with other: String) -> String {
        split(separator: needle, omittingEmptySubsequences: false).joined(separator: other)
    }
}
