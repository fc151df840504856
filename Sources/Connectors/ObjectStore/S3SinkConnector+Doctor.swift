public import ConnectAPI

/// What the sink will do, tried with an object of its own: each step names the permission it needs when it is refused.
extension S3SinkConnector {
    public func examine(_ doctor: any Doctor) async {
        let pool = BlockingPool(threads: 2), log = Logger("sluice.sink.s3")
        defer { pool.stop() }
        var made: (any ObjectStore)?
        guard
            await doctor.step(
                "store",
                {
                    let store = try store(pool, owner: "doctor", log, onRetry: { _ in })
                    made = store
                    return store.place
                }), let store = made
        else { return }
        if let store = store as? S3Store {
            guard await doctor.step("credentials", { try await store.describeCredentials() }) else { return }
            guard await doctor.step("clock", { try await store.describeClock() }) else { return }
        }
        guard
            await doctor.step(
                "bucket",
                {
                    try await store.prepare(); return "\(store.place) is there"
                })
        else { return }
        await StoreExamination(
            store: store, prefix: configuration.storeOptions.prefix, expectsConditions: configuration.conditionalWrites,
            keepsLedger: configuration.exactlyOnceMode == "ledger"
        ).run(doctor)
    }
}
