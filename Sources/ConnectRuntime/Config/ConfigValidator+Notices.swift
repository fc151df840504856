import ConnectAPI

/// Sentences about keys nobody reads. Kafka Connect is silent about them, which is how a misspelt key costs a day.
extension ConfigValidator {
    func notices(
        _ config: [ConfigEntry], _ values: [String: String], _ connector: PluginRegistry.Plugin, known keys: [ConfigKey]
    ) -> [Diagnostic] {
        let known = Set(keys.map(\.name))
        let legacy = Dictionary(keys.flatMap { key in key.aliases.map { ($0, key.name) } }, uniquingKeysWith: { first, _ in first })
        let prefixes = connector.keyPrefixes + Self.clientPrefixes + (connector.kind == .source ? ["topic.creation."] : [])
        return config.compactMap { entry in
            let key = entry.key
            if known.contains(key) { return nil }
            if let current = legacy[key] { return Diagnostic(key, "'\(key)' is an older name of '\(current)'; it is read") }
            if prefixes.contains(where: { key.hasPrefix($0) }) { return nil }
            if let notice = aliasNotice(key, values, known) ?? converterNotice(key, values) { return notice.message.isEmpty ? nil : notice }
            let hint = Self.nearest(to: key, in: known).map { "; did you mean '\($0)'?" } ?? ""
            return Diagnostic(key, "Nothing reads '\(key)'\(hint)")
        }
    }

    /// A key under `transforms.` or `predicates.`: its alias must be listed, and its class must know it. An empty message: the key is fine.
    private func aliasNotice(_ key: String, _ values: [String: String], _ known: Set<String>) -> Diagnostic? {
        for (list, kind) in [("transforms", PluginRegistry.Kind.transformation), ("predicates", .predicate)] where key.hasPrefix(list + ".") {
            let listed = Self.aliases(values[list])
            guard let alias = listed.filter({ key.hasPrefix("\(list).\($0).") }).max(by: { $0.count < $1.count }) else {
                let wanted = key.dropFirst(list.count + 1).prefix { $0 != "." }
                return Diagnostic(key, "Nothing reads '\(key)': '\(wanted)' is not listed in '\(list)'")
            }
            let prefix = "\(list).\(alias)."
            if let plugin = plugins.find(kind, values[prefix + "type"]),
                !plugin.keyPrefixes.contains(where: { key.hasPrefix(prefix + $0) })
            {
                let hint = Self.nearest(to: key, in: known).map { "; did you mean '\($0)'?" } ?? ""
                return Diagnostic(key, "Nothing reads '\(key)'\(hint)")
            }
            return Diagnostic(key, "")
        }
        return nil
    }

    /// `value.converter.schemas.enable` and its like have no effect unless the converter itself is set here.
    private func converterNotice(_ key: String, _ values: [String: String]) -> Diagnostic? {
        for converter in ["key.converter", "value.converter", "header.converter"] where key.hasPrefix(converter + ".") {
            let isSet = values[converter] != nil
            return Diagnostic(key, isSet ? "" : "'\(key)' has no effect: '\(converter)' is not set here, so the worker's converter and its settings apply")
        }
        return nil
    }

    /// The known key with the fewest edits, if they are few enough to be a slip.
    package static func nearest(to key: String, in known: Set<String>) -> String? {
        let limit = max(2, key.utf8.count / 5)
        let scored = known.lazy.map { (name: $0, distance: editDistance(key, $0, limit: limit)) }.filter { $0.distance <= limit }
        return scored.min { ($0.distance, $0.name) < ($1.distance, $1.name) }?.name
    }

    /// Insertions, deletions, replacements and swaps of neighbours between two keys; `limit + 1` when there are more.
    static func editDistance(_ a: String, _ b: String, limit: Int) -> Int {
        let a = Array(a.utf8), b = Array(b.utf8)
        guard abs(a.count - b.count) <= limit else { return limit + 1 }
        var beforeLast: [Int] = [], last = Array(0...b.count)
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var best = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, beforeLast[j - 1] + 1) }
                row.append(best)
            }
            beforeLast = last
            last = row
        }
        return min(last[b.count], limit + 1)
    }
}
