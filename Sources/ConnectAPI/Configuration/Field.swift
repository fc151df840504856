import Synchronization

/// A type that declares its configuration as `@Field` properties; from that one declaration come parsing, all errors at once, the REST
/// validate answer, the reference page and "did you mean".
///
///     struct SinkConfiguration: ConnectConfiguration {
///         @Field("flush.size", importance: .high, doc: "Records a file holds", check: .atLeast(1)) var flushSize: Int
///         @Field("s3.region", default: "us-west-2", doc: "The bucket's region") var region: String
///         @Field("store.url", doc: "Endpoint other than AWS") var storeURL: String?        // optional: no default
///         @FieldPrefix("s3.credentials.provider.") var provider: [String: String]
///     }
public protocol ConnectConfiguration: Sendable {
    init()
    /// Rules between keys; each finding is about one key. Called after every key parsed on its own.
    func crossCheck() -> [Diagnostic]
    /// Puts a problem with one key into words; Kafka's by default. `given` is `[hidden]` for passwords.
    static func findings(of problem: FieldProblem, key: ConfigKey, given: String) -> [Diagnostic]
}

/// Keys that several configurations have in common: a stored property of this kind contributes its fields in its place.
public protocol ConfigurationSection: Sendable {}

/// What is wrong with the value of one key.
public enum FieldProblem: Sendable, Hashable {
    /// It must be given and was not.
    case missing
    /// The text is no value of the key's kind; Kafka's words for it.
    case mismatch(String)
    /// The key's check refused it, with this reason.
    case refused(String)
}

extension ConnectConfiguration {
    public func crossCheck() -> [Diagnostic] { [] }

    public static func findings(of problem: FieldProblem, key: ConfigKey, given: String) -> [Diagnostic] {
        let message =
            switch problem {
            case .missing: "Missing required configuration \"\(key.name)\" which has no default value."
            case .mismatch(let reason), .refused(let reason): "Invalid value \(given) for configuration \(key.name): \(reason)"
            }
        return [Diagnostic(key.name, message)]
    }

    /// Every listed key, in the order of declaration.
    public static var keys: [ConfigKey] { Self().fields.filter(\.isListed).map(\.key) }

    /// Prefixes under which any key is taken, such as `snapshot.select.statement.overrides.`, and the names of keys that are read but not
    /// listed.
    public static var keyPrefixes: [String] {
        let configuration = Self()
        return configuration.prefixes.map(\.prefix) + configuration.fields.filter { !$0.isListed }.map(\.key.name)
    }

    private var fields: [any AnyField] { Self.members(of: self).compactMap { $0 as? any AnyField } }
    private var prefixes: [any AnyFieldPrefix] { Self.members(of: self).compactMap { $0 as? any AnyFieldPrefix } }

    private static func members(of part: Any) -> [Any] {
        Mirror(reflecting: part).children.flatMap { $0.value is any ConfigurationSection ? members(of: $0.value) : [$0.value] }
    }

    /// Parses a flat map; every finding is returned, not the first only. Keys it does not declare are ignored.
    public static func parse(_ values: [String: String]) -> (configuration: Self, findings: [Diagnostic]) {
        let configuration = Self()
        var findings: [Diagnostic] = []
        for field in configuration.fields {
            let given = values[field.key.name] ?? field.key.aliases.lazy.compactMap { values[$0] }.first
            if let problem = field.take(given) {
                let shown = field.key.kind == .password ? "[hidden]" : (given ?? "").trimmingSpaces()
                findings += Self.findings(of: problem, key: field.key, given: shown)
            }
        }
        for field in configuration.prefixes {
            field.take(values.filter { $0.key.hasPrefix(field.prefix) })
        }
        if findings.isEmpty { findings = configuration.crossCheck() }
        return (configuration, findings)
    }

    /// Parses, and throws one error with all findings.
    public init(_ values: [String: String]) throws {
        let (configuration, findings) = Self.parse(values)
        if !findings.isEmpty {
            throw ConnectorError("config.invalid", .stop, findings.map { "\($0.key): \($0.message)" }.joined(separator: "; "))
        }
        self = configuration
    }
}

/// A value a key can have.
public protocol FieldValue: Sendable {
    static var kind: ConfigKey.Kind { get }
    /// nil: the text is not such a value.
    init?(configText: String)
    /// Kafka's words for a text that does not parse.
    static var mismatch: String { get }
}

extension Int: FieldValue {
    public static var kind: ConfigKey.Kind { .int }
    public init?(configText: String) {
        guard let value = Int32(configText) else { return nil }
        self = Int(value)
    }
    public static var mismatch: String { "Not a number of type INT" }
}
extension Int64: FieldValue {
    public static var kind: ConfigKey.Kind { .long }
    public init?(configText: String) { self.init(configText) }
    public static var mismatch: String { "Not a number of type LONG" }
}
extension Double: FieldValue {
    public static var kind: ConfigKey.Kind { .double }
    public init?(configText: String) { self.init(configText) }
    public static var mismatch: String { "Not a number of type DOUBLE" }
}
extension Bool: FieldValue {
    public static var kind: ConfigKey.Kind { .boolean }
    public init?(configText: String) {
        switch configText.lowercased() {
        case "true": self = true
        case "false": self = false
        default: return nil
        }
    }
    public static var mismatch: String { "Expected value to be either true or false" }
}
extension String: FieldValue {
    public static var kind: ConfigKey.Kind { .string }
    public init?(configText: String) { self = configText }
    public static var mismatch: String { "" }
}
extension [String]: FieldValue {
    public static var kind: ConfigKey.Kind { .list }
    public init?(configText: String) {
        self = configText.isEmpty ? [] : configText.split(separator: ",", omittingEmptySubsequences: false).map { $0.trimmingSpaces() }
    }
    public static var mismatch: String { "" }
}

/// A password, token or key. Prints as `[hidden]` (Invariant 10).
public struct Secret: FieldValue, CustomStringConvertible, CustomReflectable {
    public let value: String
    public init(_ value: String) { self.value = value }
    public static var kind: ConfigKey.Kind { .password }
    public init?(configText: String) { value = configText }
    public static var mismatch: String { "" }
    public var description: String { "[hidden]" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A class name.
public struct ClassName: FieldValue, Hashable {
    public let name: String
    public init(_ name: String) { self.name = name }
    public static var kind: ConfigKey.Kind { .class }
    public init?(configText: String) { name = configText }
    public static var mismatch: String { "" }
}

extension Optional: FieldValue where Wrapped: FieldValue {
    public static var kind: ConfigKey.Kind { Wrapped.kind }
    public init?(configText: String) {
        guard let value = Wrapped(configText: configText) else { return nil }
        self = .some(value)
    }
    public static var mismatch: String { Wrapped.mismatch }
}

extension StringProtocol {
    /// Without blanks and line ends at both ends, as Java's `String.trim`.
    public func trimmingSpaces() -> String {
        var rest = self[...]
        while let c = rest.unicodeScalars.first, c.value <= 32 { rest = rest[rest.unicodeScalars.index(after: rest.startIndex)...] }
        while let c = rest.unicodeScalars.last, c.value <= 32 { rest = rest[..<rest.unicodeScalars.index(before: rest.endIndex)] }
        return String(rest)
    }
}

protocol AnyField {
    var key: ConfigKey { get }
    var isListed: Bool { get }
    func take(_ text: String?) -> FieldProblem?
}

/// One configuration key and its value. Reading is for set-up: copy what a loop needs.
@propertyWrapper
public final class Field<Value: FieldValue>: Sendable, AnyField {
    public let key: ConfigKey
    let isListed: Bool
    private let isMandatory: Bool
    private let value: Mutex<Value?>

    public var wrappedValue: Value {
        guard let value = value.withLock({ $0 }) else { preconditionFailure("\(key.name) is required and was not given") }
        return value
    }

    /// A key without a default is required, unless its type is optional. `mandatory` keys must be given although REST does not list them
    /// as required; keys that are not `listed` are read but appear in no listing.
    public init(
        _ name: String, default defaultText: String? = nil, importance: ConfigKey.Importance = .medium, doc: String, group: String? = nil,
        order: Int = -1, width: ConfigKey.Width = .none, displayName: String? = nil, kind: ConfigKey.Kind? = nil, check: Check? = nil,
        aliases: [String] = [], dependents: [String] = [], mandatory: Bool = false, listed: Bool = true
    ) {
        let optional = (Value.self as? any ExpressibleByNilLiteral.Type) != nil
        key = ConfigKey(
            name, kind ?? Value.kind, required: defaultText == nil && !optional, default: defaultText, importance: importance, doc: doc,
            group: group, order: order, width: width, displayName: displayName, check: check, aliases: aliases,
            dependents: dependents)
        isListed = listed
        isMandatory = mandatory || key.isRequired
        value = Mutex(defaultText.flatMap { Value(configText: $0) })
        if optional, defaultText == nil { value.withLock { $0 = Self.absent } }
    }

    /// `.some(nil)` for an optional Value.
    private static var absent: Value? { (Value.self as? any ExpressibleByNilLiteral.Type).flatMap { $0.init(nilLiteral: ()) as? Value } }

    func take(_ given: String?) -> FieldProblem? {
        guard let given else { return isMandatory ? .missing : nil }
        let text = key.kind == .password ? given : given.trimmingSpaces()
        guard let parsed = Value(configText: text) else { return .mismatch(Value.mismatch) }
        if let reason = key.check?.reason(text) { return .refused(reason) }
        value.withLock { $0 = parsed }
        return nil
    }
}

protocol AnyFieldPrefix {
    var prefix: String { get }
    func take(_ values: [String: String])
}

/// All keys under a prefix, by the rest of their name.
@propertyWrapper
public final class FieldPrefix: Sendable, AnyFieldPrefix {
    public let prefix: String
    private let values = Mutex<[String: String]>([:])
    public var wrappedValue: [String: String] { values.withLock { $0 } }
    public init(_ prefix: String) { self.prefix = prefix }
    func take(_ given: [String: String]) {
        let rest = Dictionary(uniqueKeysWithValues: given.map { (String($0.key.dropFirst(prefix.count)), $0.value) })
        values.withLock { $0 = rest }
    }
}
