import ConnectAPI

/// What the server or libpq said, before it is judged: `connectorError` says what to do about it.
struct ServerError: Error {
    /// Five characters; empty when libpq itself failed.
    let sqlState: String
    let severity: String
    /// The primary message: never row data of a detail line, never a password (libpq has none in its texts).
    let message: String

    /// Takes apart what `PQerrorMessage` has in verbose mode, such as `… FATAL:  28P01: password authentication failed for user "x"`.
    init(libpqText text: String) {
        let line = text.split(separator: "\n").first { !$0.isEmpty }.map(String.init) ?? "no message"
        for severity in ["FATAL", "ERROR", "PANIC"] {
            guard let range = Self.range(of: severity + ":  ", in: line) else { continue }
            let rest = line[range.upperBound...]
            if let colon = rest.firstIndex(of: ":"), rest.distance(from: rest.startIndex, to: colon) == 5 {
                sqlState = String(rest[..<colon])
                self.severity = severity
                message = rest[rest.index(after: colon)...].trimmingSpaces()
                return
            }
        }
        sqlState = ""
        severity = ""
        message = line.trimmingSpaces()
    }

    init(sqlState: String, severity: String, message: String) {
        self.sqlState = sqlState
        self.severity = severity
        self.message = message
    }

    private static func range(of needle: String, in text: String) -> Range<String.Index>? {
        var start = text.startIndex
        while start < text.endIndex {
            if text[start...].hasPrefix(needle) { return start..<text.index(start, offsetBy: needle.count) }
            start = text.index(after: start)
        }
        return nil
    }

    /// The connection is of no further use, or never was of any.
    var isTransport: Bool { sqlState.isEmpty || sqlState.hasPrefix("08") || sqlState.hasPrefix("57P") }

    /// The error as the runtime and people need it. Kafka Connect retries every SQL error but those of class 28; here what cannot heal by
    /// itself stops, with the way out.
    /// - Parameters:
    ///   - action: what was being done, as `reading table public.a`.
    func connectorError(_ action: String, _ parameters: ConnectionParameters, slot: String? = nil, publication: String? = nil) -> ConnectorError {
        let place = "\(parameters.host):\(parameters.port)/\(parameters.database)"
        func made(_ code: String, _ disposition: ConnectorError.Disposition, _ hint: String?) -> ConnectorError {
            let state = sqlState.isEmpty ? "" : " (SQLSTATE \(sqlState))"
            return ConnectorError("postgres.\(code)", disposition, "\(action) at \(place): \(message)\(state)", hint: hint, underlying: self)
        }
        switch sqlState {
        case "":
            return made(
                "unreachable", .retry, "Check database.hostname and database.port, and that the server accepts TCP connections; the task tries again by itself")
        case "28P01":
            return made("authentication", .stop, "Correct database.user or database.password, then restart the connector")
        case _ where sqlState.hasPrefix("28"):
            return made(
                "authentication", .stop,
                "Let user \(parameters.user) in through pg_hba.conf (logical replication needs no line of its own: the database's line counts), then restart the connector"
            )
        case "3D000": return made("database_missing", .stop, "Correct database.dbname or create the database, then restart the connector")
        case "42501":
            return made(
                "privilege", .stop,
                "User \(parameters.user) needs LOGIN and REPLICATION, SELECT on the captured tables, and ownership of them (or superuser for all_tables) to create publications"
            )
        case "53300": return made("too_many_connections", .retry, "Raise max_connections or max_wal_senders, or close other sessions")
        case "53400":
            return made(
                "slots_exhausted", .stop,
                "Drop replication slots that nobody reads (pg_replication_slots) or raise max_replication_slots, then restart the connector")
        case "55006":
            return made("slot_in_use", .retry, "Another connector or session reads slot \(slot ?? "?"): stop it, or give this connector a slot.name of its own")
        case "55000" where message.contains("wal_level"):
            return made("wal_level", .stop, "Set wal_level=logical in postgresql.conf, restart the server, then restart the connector")
        case "55000" where slot != nil, "58P01" where slot != nil:
            return made(
                "slot_lost", .stop,
                "The server removed WAL that slot \(slot!) still needed. Drop the slot and take a new snapshot: delete the connector's offsets, or set snapshot.mode=when_needed; raise max_slot_wal_keep_size to keep it from happening again"
            )
        case "42704" where publication != nil && message.contains("publication"):
            return made(
                "publication_missing", .stop,
                "Create it (CREATE PUBLICATION \"\(publication!)\" FOR TABLE …) and, if it was dropped while changes were pending, drop slot \(slot ?? "?") and snapshot again"
            )
        case "42704" where slot != nil:
            return made(
                "slot_missing", .stop,
                "Somebody dropped slot \(slot!). Delete the connector's offsets, or set snapshot.mode=when_needed, to start with a new snapshot")
        case "42703": return made("table_changed", .retry, "If the table was altered just now, the task begins again with its new columns by itself")
        case _ where ["08", "53", "57", "40", "58", "XX"].contains(sqlState.prefix(2)), "55P03", "25P03":
            return made("server", .retry, nil)
        default: return made("statement", .stop, nil)
        }
    }
}
