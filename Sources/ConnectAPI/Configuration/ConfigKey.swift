/// One configuration key: everything that parsing, validation, the REST answer and the reference page need to know of it.
public struct ConfigKey: Sendable {
    public enum Kind: String, Sendable, Hashable {
        case boolean = "BOOLEAN", string = "STRING", int = "INT", short = "SHORT", long = "LONG", double = "DOUBLE", list = "LIST", `class` = "CLASS",
            password = "PASSWORD"
    }
    public enum Importance: String, Sendable { case high = "HIGH", medium = "MEDIUM", low = "LOW" }
    public enum Width: String, Sendable { case none = "NONE", short = "SHORT", medium = "MEDIUM", long = "LONG" }

    public let name: String
    public let kind: Kind
    public let isRequired: Bool
    /// As text; nil: no default, or null.
    public let defaultValue: String?
    public let importance: Importance
    public let documentation: String
    public let group: String?
    public let order: Int
    public let width: Width
    public let displayName: String
    public let check: Check?
    /// Other names accepted for it, oldest last; used with a warning.
    public let aliases: [String]
    /// Keys whose recommended values depend on this one, as REST reports them.
    public let dependents: [String]

    public init(
        _ name: String, _ kind: Kind, required: Bool = false, default defaultValue: String? = nil, importance: Importance = .medium,
        doc: String = "", group: String? = nil, order: Int = -1, width: Width = .none, displayName: String? = nil, check: Check? = nil,
        aliases: [String] = [], dependents: [String] = []
    ) {
        self.name = name
        self.kind = kind
        self.isRequired = required
        self.defaultValue = defaultValue
        self.importance = importance
        self.documentation = doc
        self.group = group
        self.order = order
        self.width = width
        self.displayName = displayName ?? name
        self.check = check
        self.aliases = aliases
        self.dependents = dependents
    }
}

/// A rule on one value, with Kafka's wording of what is wrong.
public struct Check: Sendable {
    /// Returns the reason a value is refused, without naming key or value; nil when it is fine.
    public let reason: @Sendable (String) -> String?
    /// Values worth offering.
    public let recommended: [String]

    public init(recommended: [String] = [], _ reason: @escaping @Sendable (String) -> String?) {
        self.reason = reason
        self.recommended = recommended
    }

    public static func atLeast(_ minimum: Int64) -> Check {
        Check { Int64($0).map { $0 < minimum } == true ? "Value must be at least \(minimum)" : nil }
    }
    public static func between(_ low: Int64, _ high: Int64) -> Check {
        Check { text in
            guard let value = Int64(text) else { return nil }
            return value < low ? "Value must be at least \(low)" : value > high ? "Value must be no more than \(high)" : nil
        }
    }
    public static func oneOf(_ values: [String]) -> Check {
        Check(recommended: values) { values.contains($0) ? nil : "String must be one of: \(values.joined(separator: ", "))" }
    }
    public static func oneOfIgnoringCase(_ values: [String]) -> Check {
        Check(recommended: values) { text in
            values.contains { $0.lowercased() == text.lowercased() }
                ? nil : "String must be one of (case insensitive): \(values.map { $0.uppercased() }.joined(separator: ", "))"
        }
    }
    public static let nonEmpty = Check { $0.isEmpty ? "String must be non-empty" : nil }
}
