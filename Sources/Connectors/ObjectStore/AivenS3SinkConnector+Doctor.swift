public import ConnectAPI

/// As `S3SinkConnector` is examined.
extension AivenS3SinkConnector {
    public func examine(_ doctor: any Doctor) async {
        let pool = BlockingPool(threads: 2), log = Logger("sluice.sink.s3")
        defer { pool.stop() }
        var made: S3Store?
        guard
            await doctor.step(
                "store",
                {
                    let store = try store(pool, log, onRetry: { _ in })
                    made = store
                    return store.place
                }), let store = made
        else { return }
        guard await doctor.step("credentials", { try await store.describeCredentials() }) else { return }
        guard await doctor.step("clock", { try await store.describeClock() }) else { return }
        guard
            await doctor.step(
                "bucket",
                {
                    try await store.prepare()
                    return "\(store.place) is there"
                })
        else { return }
        await StoreExamination(
            store: store, prefix: "", expectsConditions: (try? configuration.plan.conditional) ?? true,
            keepsLedger: (try? configuration.plan.keepsLedger) ?? false
        ).run(doctor)
    }
}
