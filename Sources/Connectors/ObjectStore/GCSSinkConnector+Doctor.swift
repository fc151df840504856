public import ConnectAPI

/// What the sink will do, tried with an object of its own: each step names the permission it needs when it is refused.
extension GCSSinkConnector {
    public func examine(_ doctor: any Doctor) async {
        let pool = BlockingPool(threads: 2), log = Logger("sluice.sink.gcs")
        defer { pool.stop() }
        var made: GCSStore?
        guard
            await doctor.step(
                "store",
                {
                    let store = try store(pool, log, onRetry: { _ in }, patience: .validation)
                    made = store
                    return store.place
                }), let store = made
        else { return }
        guard await doctor.step("credentials", { try await store.describeCredentials() }) else { return }
        guard
            await doctor.step(
                "bucket",
                {
                    try await store.prepare()
                    return "\(store.place) is there and can be listed"
                })
        else { return }
        await StoreExamination(
            store: store, prefix: configuration.prefix, expectsConditions: (try? configuration.plan.conditional) ?? true,
            keepsLedger: (try? configuration.plan.keepsLedger) ?? false
        ).run(doctor)
    }
}
