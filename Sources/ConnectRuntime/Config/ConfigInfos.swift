package import ConnectAPI

/// The answer of a validation: every key with its definition, value and errors.
package struct ConfigInfos: Sendable {
    package struct Entry: Sendable {
        /// nil: a value the connector reports without declaring the key.
        package let definition: ConfigKey?
        package let name: String
        package let value: String?
        package var errors: [String]
        package let recommended: [String]
        package let visible: Bool
        package init(definition: ConfigKey?, name: String, value: String?, errors: [String], recommended: [String] = [], visible: Bool = true) {
            self.definition = definition
            self.name = name
            self.value = value
            self.errors = errors
            self.recommended = recommended
            self.visible = visible
        }
    }
    /// The `connector.class` value.
    package let name: String
    package let groups: [String]
    package let entries: [Entry]
    /// Sentences about keys nobody reads ("did you mean"), keys accepted but without effect, legacy names. Not part of the REST answer.
    package let notices: [Diagnostic]
    package init(name: String, groups: [String], entries: [Entry], notices: [Diagnostic] = []) {
        self.name = name
        self.groups = groups
        self.entries = entries
        self.notices = notices
    }
    package var errorCount: Int { entries.reduce(0) { $0 + $1.errors.count } }
}
