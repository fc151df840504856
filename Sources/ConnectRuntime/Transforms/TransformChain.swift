import ConnectAPI

/// The transforms of one connector, in order, each on the rows its predicate picks.
///
///     batch ──▶ transform 1 ──▶ 0…n batches ──▶ transform 2 ──▶ …
///                  ▲ predicate: all rows, none, or runs of rows that match and rows that do not
///
/// Rows of one topic keep their order (Invariant 3), and each carries the row it came from.
package struct TransformChain: Sendable {
    private struct Step: Sendable {
        let alias: String
        let transform: any Transform
        let predicate: (any Predicate)?
        let negate: Bool
    }
    private let steps: [Step]

    package var isEmpty: Bool { steps.isEmpty }

    /// Reads `transforms`, `transforms.<alias>.*`, `predicates` and `predicates.<alias>.*` of a connector's configuration.
    package init(_ values: [String: String], plugins: PluginRegistry) throws {
        let aliases = [String](configText: values["transforms"] ?? "") ?? []
        steps = try aliases.filter { !$0.isEmpty }.map { alias in
            let own = Self.section("transforms.\(alias).", values)
            guard let className = own["type"] else {
                throw ConnectorError(
                    "config.invalid", .stop, "Missing required configuration \"transforms.\(alias).type\" which has no default value.")
            }
            guard case .transformation(let type)? = plugins.find(.transformation, className)?.implementation else {
                throw ConnectorError(
                    "config.invalid", .stop,
                    "Invalid value \(className) for configuration transforms.\(alias).type: Class \(className) could not be found.",
                    hint: PluginRegistry.wayAround(transform: className))
            }
            let negate = own["negate"].flatMap { Bool(configText: $0) } ?? false
            let predicate = try own["predicate"].map { try Self.predicate($0.trimmingSpaces(), transform: alias, values) }
            do {
                let transform: any Transform
                if let type = type as? any DatabaseTransform.Type, let query = plugins.databaseQuery {
                    transform = try Self.make(type, own, query)
                } else {
                    transform = try Self.make(type, own)
                }
                return Step(alias: alias, transform: transform, predicate: predicate, negate: negate)
            } catch let error as ConnectorError {
                throw ConnectorError(error.code, .stop, "Transform \(alias): \(error.message)", hint: error.hint, underlying: error)
            }
        }
    }

    private static func make<T: Transform>(_ type: T.Type, _ values: [String: String]) throws -> any Transform {
        try T(T.Configuration(values))
    }

    private static func make<T: DatabaseTransform>(_ type: T.Type, _ values: [String: String], _ query: @escaping DatabaseQuery) throws -> any Transform {
        try T(T.Configuration(values), query)
    }

    private static func predicate(_ alias: String, transform: String, _ values: [String: String]) throws -> any Predicate {
        let declared = [String](configText: values["predicates"] ?? "") ?? []
        guard declared.contains(alias), let className = values["predicates.\(alias).type"] else {
            throw ConnectorError(
                "config.invalid", .stop, "Transform \(transform) names the predicate \(alias), which is not configured",
                hint: "List it in 'predicates' and set predicates.\(alias).type")
        }
        return try Predicates.make(className.trimmingSpaces(), section("predicates.\(alias).", values))
    }

    private static func section(_ prefix: String, _ values: [String: String]) -> [String: String] {
        Dictionary(
            uniqueKeysWithValues: values.filter { $0.key.hasPrefix(prefix) }.map { (String($0.key.dropFirst(prefix.count)), $0.value) })
    }

    /// Throws `Lookup` where a transform must look something up first.
    package func apply(_ batch: TransformedBatch) throws -> [TransformedBatch] {
        var batches = [batch]
        for step in steps {
            var next: [TransformedBatch] = []
            for batch in batches where batch.batch.count > 0 { try apply(step, batch, &next) }
            batches = next
        }
        return batches
    }

    private func apply(_ step: Step, _ batch: TransformedBatch, _ out: inout [TransformedBatch]) throws {
        let picked: Predicates.Rows = try step.predicate?.rows(of: batch.batch) ?? .all
        do {
            switch picked {
            case .all: if step.negate { out.append(batch) } else { out += try step.transform.apply(batch) }
            case .none: if step.negate { out += try step.transform.apply(batch) } else { out.append(batch) }
            case .some(let rows):
                for run in rows.runs {
                    let part = batch.slice(run.range)
                    if run.bit != step.negate { out += try step.transform.apply(part) } else { out.append(part) }
                }
            }
        } catch let error as ConnectorError {
            throw ConnectorError(
                error.code, error.disposition, "Transform \(step.alias), topic \(batch.batch.topic): \(error.message)", hint: error.hint,
                underlying: error)
        }
    }
}

extension Bitmap {
    /// Runs of equal bits, in order.
    var runs: [(range: Range<Int>, bit: Bool)] {
        var out: [(range: Range<Int>, bit: Bool)] = [], start = 0
        for i in 0..<count where i + 1 == count || self[i + 1] != self[start] {
            out.append((start..<i + 1, self[start]))
            start = i + 1
        }
        return out
    }
}
