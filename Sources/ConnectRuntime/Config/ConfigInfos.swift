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

extension ConfigInfos {
    /// What a refused create or update answers, nil when nothing is wrong. Tools cut the last sentence off by its exact words.
    package var badRequestMessage: String? {
        let errors = entries.flatMap(\.errors)
        if errors.isEmpty { return nil }
        return "Connector configuration is invalid and contains the following \(errors.count) error(s):\n"
            + errors.joined(separator: "\n")
            + "\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`"
    }

    /// The same answer with more errors; those of a key that has no entry get an entry without a definition.
    package func adding(_ findings: [Diagnostic]) -> ConfigInfos {
        var entries = entries
        for finding in findings {
            if let i = entries.firstIndex(where: { $0.name == finding.key }) {
                entries[i].errors.append(finding.message)
            } else {
                entries.append(Entry(definition: nil, name: finding.key, value: nil, errors: [finding.message]))
            }
        }
        return ConfigInfos(name: name, groups: groups, entries: entries, notices: notices)
    }
}
