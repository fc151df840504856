import ConnectAPI
import JavaRegex

/// Keys that hold Java regular expressions.
extension ConfigValidator {
    static let regularExpression = Check { text in invalidExpression(text) }
    static let regularExpressions = Check { text in list(text).lazy.compactMap(invalidExpression).first }

    /// Whether the expression matches the whole text; false when it is not an expression, which its own check reports.
    static func matches(_ expression: String, _ text: String) -> Bool { (try? JavaPattern(expression).matches(text)) ?? false }

    private static func invalidExpression(_ text: String) -> String? {
        if text.isEmpty { return nil }
        do {
            _ = try JavaPattern(text)
            return nil
        } catch {
            return "Invalid regex: \((error as? ConnectorError)?.message ?? "\(error)")"
        }
    }
}
