import ConnectAPI

/// Writes, reads, lists and deletes one small object, and begins and drops an upload.
struct StoreExamination {
    let store: any ObjectStore
    let prefix: String
    let expectsConditions: Bool
    let keepsLedger: Bool

    func run(_ doctor: any Doctor) async {
        let key = "\(prefix)_sluice/doctor-\(String(UInt64.random(in: 0...UInt64.max), radix: 16))", body = Array("written by sluice doctor".utf8)
        let attributes = ObjectAttributes(contentType: "text/plain", metadata: ["kafka-connector": "doctor"])
        guard
            await doctor.step(
                "write",
                {
                    guard try await store.put(key, body, attributes, ifAbsent: expectsConditions) == .stored else {
                        throw ConnectorError("doctor.exists", .stop, "\(key) exists already")
                    }
                    return key
                })
        else { return }
        if expectsConditions {
            await doctor.step("conditional write") {
                guard try await store.put(key, body, attributes, ifAbsent: true) == .exists else {
                    throw ConnectorError(
                        "doctor.conditions", .stop, "\(store.place) overwrites objects although asked not to (If-None-Match)",
                        hint:
                            "Files stay exactly-once while one task writes them; two at once could overwrite each other. Ask the service for conditional writes"
                    )
                }
                return "an object that exists is not overwritten"
            }
        }
        await doctor.step("metadata") {
            guard let found = try await store.head(key), found.size == Int64(body.count), found.metadata == attributes.metadata else {
                throw ConnectorError(
                    "doctor.metadata", .stop, "The metadata of \(key) does not come back as written",
                    hint: "A restart could not tell what is stored: look for a proxy that drops x-amz-meta headers")
            }
            return "comes back as written"
        }
        await doctor.step("read") {
            guard try await store.read(key, 0..<Int64(body.count)) == body else {
                throw ConnectorError("doctor.read", .stop, "\(key) does not read as written")
            }
            return "\(body.count) bytes, as written"
        }
        await doctor.step("list") {
            guard try await store.list(key, limit: 10) == [key] else { throw ConnectorError("doctor.list", .stop, "\(key) is not listed") }
            return "the object is listed"
        }
        await doctor.step("multipart upload") {
            let upload = try await store.beginUpload(key + "-large", attributes)
            await store.abort(upload)
            return "begun and dropped"
        }
        if keepsLedger {
            await doctor.step("ledger") {
                let upload = try await store.beginUpload(key + "-set", attributes), part = try await store.uploadPart(upload, number: 1, offset: 0, body)
                let sealed = try await store.seal(upload, [part], attributes)
                guard try await store.head(key + "-set") == nil else { throw ConnectorError("doctor.sealed", .stop, "\(key)-set is visible too early") }
                guard try await store.complete(sealed.upload, sealed.parts, sealed.attributes, ifAbsent: true) == .stored,
                    try await store.read(key + "-set", 0..<Int64(body.count)) == body
                else { throw ConnectorError("doctor.sealed", .stop, "\(key)-set did not become visible as written") }
                try await store.delete(key + "-set")
                return "a file becomes visible when its set is committed"
            }
        }
        await doctor.step("delete") {
            try await store.delete(key)
            return try await store.head(key) == nil ? "the object is gone" : "the object was deleted; a copy is still shown"
        }
    }
}
