import ConnectAPI

/// Parsing one value by its kind, and showing it as the REST answer does.
extension ConfigValidator {
    /// A key the engine judges itself: parsed, checked, shown.
    func entry(_ key: ConfigKey, _ values: [String: String]) -> ConfigInfos.Entry {
        guard let given = values[key.name] ?? key.aliases.lazy.compactMap({ values[$0] }).first else {
            let missing = "Missing required configuration \"\(key.name)\" which has no default value."
            return ConfigInfos.Entry(
                definition: key, name: key.name, value: key.defaultValue.map { shownText($0, key) }, errors: key.isRequired ? [missing] : [],
                recommended: recommended(key))
        }
        let text = given.trimmingSpaces()
        var errors: [String] = []
        var value: String? = text
        if let mismatch = mismatch(text, key) {
            value = nil
            errors.append("Invalid value \(key.kind == .password ? "[hidden]" : text) for configuration \(key.name): \(mismatch)")
            // Kafka runs the range check on what could not be parsed as well.
            if key.check != nil, key.kind == .int || key.kind == .short || key.kind == .long {
                errors.append("Invalid value null for configuration \(key.name): Value must be non-null")
            }
        } else if let reason = key.check?.reason(text) {
            let shown = key.kind == .list ? "[\(Self.list(text).joined(separator: ", "))]" : key.kind == .password ? "[hidden]" : text
            errors.append("Invalid value \(shown) for configuration \(key.name): \(reason)")
        }
        return ConfigInfos.Entry(
            definition: key, name: key.name, value: value.map { shownText($0, key) }, errors: errors, recommended: recommended(key))
    }

    /// A key its plugin judges: shown only.
    func shown(_ key: ConfigKey, _ values: [String: String]) -> ConfigInfos.Entry {
        let given = values[key.name] ?? key.aliases.lazy.compactMap { values[$0] }.first
        let text = given.map { $0.trimmingSpaces() } ?? key.defaultValue
        let parses = text.map { mismatch($0, key) == nil } ?? false
        return ConfigInfos.Entry(
            definition: key, name: key.name, value: parses ? text.map { shownText($0, key) } : nil, errors: [], recommended: recommended(key))
    }

    private func mismatch(_ text: String, _ key: ConfigKey) -> String? {
        switch key.kind {
        case .boolean: Bool(configText: text) == nil ? Bool.mismatch : nil
        case .int: Int32(text) == nil ? "Not a number of type INT" : nil
        case .short: Int16(text) == nil ? "Not a number of type SHORT" : nil
        case .long: Int64(text) == nil ? "Not a number of type LONG" : nil
        case .double: Double(text) == nil ? "Not a number of type DOUBLE" : nil
        case .class:
            classKind(of: key.name).map { kind in
                guard find(kind, text) == nil else { return nil }
                let wayAround = kind == .transformation ? PluginRegistry.wayAround(transform: text) : nil
                return "Class \(text) could not be found.\(wayAround.map { " \($0)." } ?? "")"
            } ?? nil
        case .string, .list, .password: nil
        }
    }

    private func shownText(_ text: String, _ key: ConfigKey) -> String {
        switch key.kind {
        case .password: "[hidden]"
        case .boolean: text.lowercased()
        case .list: Self.list(text).joined(separator: ",")
        case .class: classKind(of: key.name).flatMap { find($0, text)?.className } ?? text
        case .int, .short, .long: Int64(text).map(String.init) ?? text
        case .string, .double: text
        }
    }

    /// Class names worth offering for a key that takes one, else what its check offers.
    private func recommended(_ key: ConfigKey) -> [String] {
        guard key.kind == .class, let kind = classKind(of: key.name) else { return key.check?.recommended ?? [] }
        return plugins.plugins.filter { $0.kind == kind }.map(\.className).sorted()
    }

    private func find(_ kind: PluginRegistry.Kind, _ name: String) -> PluginRegistry.Plugin? {
        switch kind {
        case .converter: plugins.converter(name, header: false)
        case .headerConverter: plugins.converter(name, header: true)
        case .sink, .source, .transformation, .predicate: plugins.find(kind, name)
        }
    }

    private func classKind(of key: String) -> PluginRegistry.Kind? {
        switch key {
        case "key.converter", "value.converter": .converter
        case "header.converter": .headerConverter
        case _ where key.hasPrefix("transforms.") && key.hasSuffix(".type"): .transformation
        case _ where key.hasPrefix("predicates.") && key.hasSuffix(".type"): .predicate
        default: nil
        }
    }

    /// A LIST value: split at commas, blanks around elements dropped.
    package static func list(_ text: String) -> [String] { [String](configText: text.trimmingSpaces()) ?? [] }

    /// The aliases of a list, each once.
    static func aliases(_ text: String?) -> [String] {
        var seen = Set<String>()
        return list(text ?? "").filter { !$0.isEmpty && seen.insert($0).inserted }
    }

    /// A finding of a plugin about its own key, told with the name the user wrote.
    static func qualify(_ finding: Diagnostic, _ prefix: String) -> Diagnostic {
        let name = finding.key
        var message = finding.message
        for (bare, full) in [
            ("configuration \"\(name)\"", "configuration \"\(prefix)\(name)\""), ("configuration \(name):", "configuration \(prefix)\(name):"),
        ] {
            if let range = message.firstRange(of: bare) { message.replaceSubrange(range, with: full) }
        }
        return Diagnostic(prefix + name, message)
    }
}
