import ConnectAPI
import JavaRegex

/// Picks the rows a transform is applied to.
protocol Predicate: Sendable {
    func rows(of batch: RecordBatch) throws -> Predicates.Rows
}

enum Predicates {
    enum Rows: Sendable {
        case all, none
        case some(Bitmap)
    }

    static let packageName = "org.apache.kafka.connect.transforms.predicates."

    static func make(_ className: String, _ values: [String: String]) throws -> any Predicate {
        switch className.split(separator: ".").last {
        case "TopicNameMatches": return TopicNameMatches(pattern: try JavaPattern(TopicNameMatches.Configuration(values).pattern))
        case "HasHeaderKey": return HasHeaderKey(name: try HasHeaderKey.Configuration(values).name)
        case "RecordIsTombstone": return RecordIsTombstone()
        default:
            throw ConnectorError(
                "config.invalid", .stop, "There is no predicate \(className)",
                hint: "Available: TopicNameMatches, HasHeaderKey and RecordIsTombstone in \(packageName.dropLast())")
        }
    }
}

/// `TopicNameMatches`: the whole topic name matches a Java regular expression.
struct TopicNameMatches: Predicate {
    struct Configuration: ConnectConfiguration {
        @Field("pattern", doc: "A Java regular expression the whole topic name must match", check: JavaPattern.check) var pattern: String
        init() {}
    }
    let pattern: JavaPattern
    func rows(of batch: RecordBatch) throws -> Predicates.Rows { try pattern.matches(batch.topic) ? .all : .none }
}

/// `HasHeaderKey`: the record has a header of this name.
struct HasHeaderKey: Predicate {
    struct Configuration: ConnectConfiguration {
        @Field("name", doc: "The name of the header", check: .nonEmpty) var name: String
        init() {}
    }
    let name: String
    func rows(of batch: RecordBatch) -> Predicates.Rows {
        var found: Bitmap?
        for header in batch.headers where header.name == name {
            guard let present = header.present else { return .all }
            found = found.map { $0 | present } ?? present
        }
        return found.map { .some($0) } ?? .none
    }
}

/// `RecordIsTombstone`: the value is null, with a schema or without.
struct RecordIsTombstone: Predicate {
    func rows(of batch: RecordBatch) -> Predicates.Rows {
        guard let value = batch.value else { return .all }
        let nulls = value.validRows.map { !$0 }
        guard let rows = batch.tombstones.map({ tombstones in nulls.map { tombstones | $0 } ?? tombstones }) ?? nulls else { return .none }
        return rows.noneSet ? .none : rows.allSet ? .all : .some(rows)
    }
}

extension JavaPattern {
    /// Refuses texts that are no Java regular expression.
    static let check = Check { text in
        do {
            _ = try JavaPattern(text)
            return nil
        } catch {
            return "Invalid regex: \((error as? ConnectorError)?.message ?? "\(error)")"
        }
    }
}
