/// Goes through what a connector needs outside, one step after the other: `sluice doctor`.
///
///     public func examine(_ doctor: any Doctor) async {
///         guard await doctor.step("bucket", { try await store.prepare(); return "exists" }) else { return }
///         …
///     }
public protocol Doctor: Sendable {
    /// Takes one step and reports it: by the sentence `body` returns, or by the error it throws. True when it went well.
    @discardableResult
    func step(_ name: String, _ body: () async throws -> String) async -> Bool
    /// Says why a step was left out.
    func skip(_ name: String, _ reason: String) async
}

extension Connector {
    /// By default one step: what `check` finds.
    public func examine(_ doctor: any Doctor) async {
        await doctor.step("outside") {
            let findings = await check()
            if let first = findings.first {
                throw ConnectorError(
                    "doctor.findings", .stop, findings.map { "\($0.key): \($0.message)" }.joined(separator: "; "), hint: "Start with \(first.key)")
            }
            return "nothing to complain about"
        }
    }
}
