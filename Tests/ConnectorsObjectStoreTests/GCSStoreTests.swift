import ConnectAPI
import Foundation
import Testing
import Synchronization
import TestSupport

@testable import ConnectorsObjectStore

/// Against gcp-storage-emulator: names, bytes, metadata, sessions.
@Suite(.serialized) struct GCSEmulatorTests {
    static func store(_ server: GCSServer, bucket: String? = nil, conditional: Bool = true) throws -> (GCSStore, BlockingPool) {
        let pool = BlockingPool(threads: 4)
        var chain = GoogleCredentialChain()
        chain.environment = { _ in nil }
        let client = GCSClient(
            GCSClient.Settings(
                endpoint: try GCSEndpoint(url: server.endpoint, bucket: bucket ?? server.bucket), credentials: chain,
                retry: GCSRetry(initialDelay: 5, maxDelay: 20, totalTimeout: 5000, maxAttempts: 3)), pool: pool, log: Logger("test"))
        return (GCSStore(client, .init(conditional: conditional)), pool)
    }

    @Test func objectsComeBackUnderNastyKeys() async throws {
        try await withGCSEmulator { server in
            let (store, pool) = try Self.store(server)
            defer { pool.stop() }
            try await store.prepare()
            // The emulator keeps objects in a file system, where these names mean something else.
            let keys = SigV4Tests.nasty.filter { !$0.contains("..") && !$0.contains("//") && !$0.hasSuffix("/") && !$0.hasPrefix("/") }
            for (i, key) in keys.enumerated() {
                let body = Array("\(i) \(key) \r\n--x\r\n".utf8), name = "nasty/" + key
                #expect(try await store.put(name, body, ObjectAttributes(metadata: ["kafka-start": "\(i)"]), ifAbsent: false) == .stored)
                #expect(try await store.head(name) == ObjectInfo(size: Int64(body.count), metadata: ["kafka-start": "\(i)"]), "\(key)")
                #expect(try await store.read(name, 0..<Int64(body.count)) == body, "\(key)")
            }
            #expect(try await Set(store.list("nasty/", limit: 1000)) == Set(keys.map { "nasty/" + $0 }))
            try await store.delete("nasty/a b")
            #expect(try await store.head("nasty/a b") == nil)
        }
    }

    @Test func uploadsInParts() async throws {
        try await withGCSEmulator { server in
            let (store, pool) = try Self.store(server)
            defer { pool.stop() }
            // Sizes on, below and above the quantum, and an object of whole quanta, which ends with an empty request.
            for sizes in [[300_000, 300_000, 7], [262_144, 262_144], [5], [1_000_000, 24_288 + 262_144]] {
                let key = "parts/\(UUID().uuidString)", bytes = (0..<sizes.reduce(0, +)).map { UInt8(truncatingIfNeeded: $0 &* 131 >> 3) }
                let attributes = ObjectAttributes(metadata: ["kafka-end": "9"]), upload = try await store.beginUpload(key, attributes)
                var parts: [UploadedPart] = [], from = 0
                for (i, size) in sizes.enumerated() {
                    parts.append(try await store.uploadPart(upload, number: i + 1, offset: Int64(from), Array(bytes[from..<from + size])))
                    from += size
                }
                #expect(try await store.head(key) == nil, "not visible before it is complete")
                #expect(try await store.complete(upload, parts, attributes, ifAbsent: true) == .stored)
                #expect(try await store.head(key) == ObjectInfo(size: Int64(bytes.count), metadata: ["kafka-end": "9"]))
                #expect(try await store.read(key, 0..<Int64(bytes.count)) == bytes)
            }
        }
    }

    @Test func aMissingBucketSaysWhatToDo() async throws {
        try await withGCSEmulator { server in
            let (store, pool) = try Self.store(server, bucket: "nowhere")
            defer { pool.stop() }
            let error = await #expect(throws: ConnectorError.self) { try await store.prepare() }
            #expect(error?.code == "gcs.bucket_missing" && error?.disposition == .stop && error?.hint?.contains("nowhere") == true)
        }
    }
}

/// Against our own stub, which verifies tokens and preconditions and breaks what the emulator cannot.
@Suite(.serialized) struct GCSStubTests {
    private func makeStore(
        _ server: GCSServer, _ chain: GoogleCredentialChain? = nil, conditional: Bool = true, attempts: Int = 6,
        onRetry: @escaping @Sendable (String) -> Void = { _ in }
    ) throws -> (GCSStore, BlockingPool) {
        let pool = BlockingPool(threads: 6)
        let client = GCSClient(
            GCSClient.Settings(
                endpoint: try GCSEndpoint(url: server.endpoint, bucket: server.bucket), credentials: chain ?? Self.keyFile(server),
                retry: GCSRetry(initialDelay: 2, maxDelay: 10, totalTimeout: 20_000, maxAttempts: attempts)), pool: pool, log: Logger("test"),
            onRetry: onRetry)
        return (GCSStore(client, .init(conditional: conditional)), pool)
    }

    private static func keyFile(_ server: GCSServer) -> GoogleCredentialChain {
        var chain = GoogleCredentialChain(path: server.keyFile)
        chain.environment = { _ in nil }
        return chain
    }

    private func failure(_ body: () async throws -> Void) async -> ConnectorError? {
        do { try await body() } catch { return error as? ConnectorError }
        return nil
    }

    private func unique(_ name: String) -> String { "\(name)/\(UUID().uuidString)" }

    // MARK: Preconditions

    @Test func createsOnlyWhatIsAbsent() async throws {
        try await withGCSStub { server in
            let (store, pool) = try makeStore(server)
            defer { pool.stop() }
            let key = unique("absent")
            #expect(try await store.put(key, [1], ObjectAttributes(metadata: ["n": "1"]), ifAbsent: true) == .stored)
            #expect(try await store.put(key, [2, 3], ObjectAttributes(metadata: ["n": "2"]), ifAbsent: true) == .exists)
            #expect(try await store.head(key) == ObjectInfo(size: 1, metadata: ["n": "1"]))
            #expect(try await store.put(key, [2, 3], ObjectAttributes(), ifAbsent: false) == .stored)
            #expect(try await store.put(unique("empty"), [], ObjectAttributes(), ifAbsent: true) == .stored)
            // A session for a name that is taken leaves the object alone until it is told to replace it.
            let upload = try await store.beginUpload(key, ObjectAttributes())
            let part = try await store.uploadPart(upload, number: 1, offset: 0, [9, 9, 9])
            #expect(try await store.complete(upload, [part], ObjectAttributes(), ifAbsent: true) == .exists)
            #expect(try await store.head(key)?.size == 2)
            #expect(try await store.complete(upload, [part], ObjectAttributes(), ifAbsent: false) == .stored)
            #expect(try await store.head(key)?.size == 3)
            // One that is taken meanwhile.
            let late = unique("late"), second = try await store.beginUpload(late, ObjectAttributes())
            #expect(try await store.put(late, [1], ObjectAttributes(), ifAbsent: true) == .stored)
            #expect(try await store.complete(second, [], ObjectAttributes(), ifAbsent: true) == .exists)
            #expect(await failure { _ = try await store.complete(second, [], ObjectAttributes(), ifAbsent: false) }?.code == "gcs.changed")
        }
    }

    @Test func anAnswerThatWasLostIsRecognised() async throws {
        try await withGCSStub { server in
            let (store, pool) = try makeStore(server)
            defer { pool.stop() }
            let key = unique("lost")
            try server.set(["faults": [["on": "put", "do": "drop-after"]]])
            // The second attempt meets the object of the first: the sink compares its metadata.
            #expect(try await store.put(key, [1, 2], ObjectAttributes(metadata: ["kafka-end": "4"]), ifAbsent: true) == .exists)
            #expect(try await store.head(key) == ObjectInfo(size: 2, metadata: ["kafka-end": "4"]))
        }
    }

    // MARK: Sessions

    @Test func aSessionBrokenAtAnyQuantumGoesOn() async throws {
        try await withGCSStub { server in
            let quantum = ResumableUpload.quantum, size = 4 * quantum + 1000
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
            for after in [0, 1, quantum - 1, quantum, quantum + 1, 2 * quantum, 3 * quantum, 4 * quantum - 1, 4 * quantum + 500] {
                for answer in ["drop", "drop-after", "503"] where answer == "drop" || after == 0 {
                    let (store, pool) = try makeStore(server)
                    defer { pool.stop() }
                    let key = unique("broken")
                    try server.set(["faults": [["on": "chunk", "do": answer, "after": after, "times": 2]]])
                    let upload = try await store.beginUpload(key, ObjectAttributes())
                    let first = try await store.uploadPart(upload, number: 1, offset: 0, Array(bytes[..<(2 * quantum + 10)]))
                    let second = try await store.uploadPart(upload, number: 2, offset: Int64(2 * quantum + 10), Array(bytes[(2 * quantum + 10)...]))
                    #expect(try await store.complete(upload, [first, second], ObjectAttributes(), ifAbsent: true) == .stored, "\(answer) after \(after)")
                    #expect(try await store.read(key, 0..<Int64(size)) == bytes, "\(answer) after \(after)")
                }
            }
            let ranges = try server.log().compactMap(\.range)
            #expect(ranges.contains("bytes */*"), "what arrived was asked for")
        }
    }

    @Test func aLostSessionBeginsAnewAsLongAsItsBytesAreKept() async throws {
        try await withGCSStub { server in
            let (store, pool) = try makeStore(server)
            defer { pool.stop() }
            let quantum = ResumableUpload.quantum, key = unique("gone"), bytes = (0..<3 * quantum + 5).map { UInt8(truncatingIfNeeded: $0 >> 5) }
            let upload = try await store.beginUpload(key, ObjectAttributes(metadata: ["a": "b"]))
            let first = try await store.uploadPart(upload, number: 1, offset: 0, Array(bytes[..<(2 * quantum)]))
            try server.set(["faults": [["on": "chunk", "do": "410"]]])
            let second = try await store.uploadPart(upload, number: 2, offset: Int64(2 * quantum), Array(bytes[(2 * quantum)...]))
            try server.set(["faults": [["on": "chunk", "do": "410"]]])
            #expect(try await store.complete(upload, [first, second], ObjectAttributes(), ifAbsent: true) == .stored)
            #expect(try await store.read(key, 0..<Int64(bytes.count)) == bytes)
            #expect(try await store.head(key)?.metadata == ["a": "b"])

            let large = try await store.beginUpload(unique("gone"), ObjectAttributes())
            _ = try await store.uploadPart(large, number: 1, offset: 0, [UInt8](repeating: 1, count: ResumableUpload.retainedBytes + 2 * quantum))
            try server.set(["faults": [["on": "chunk", "do": "410"]]])
            let error = await failure { _ = try await store.complete(large, [first], ObjectAttributes(), ifAbsent: true) }
            #expect(error?.code == "gcs.upload_gone" && error?.disposition == .stop && error?.message.contains("/session/") == false)
        }
    }

    @Test func partsThatComeOutOfOrderWaitForTheirTurn() async throws {
        try await withGCSStub { server in
            let (store, pool) = try makeStore(server)
            defer { pool.stop() }
            let quantum = ResumableUpload.quantum, key = unique("order"), upload = try await store.beginUpload(key, ObjectAttributes())
            let part = quantum + 77
            let bytes = (0..<5 * part).map { UInt8(truncatingIfNeeded: $0 / part &* 50 &+ $0) }
            let parts = try await withThrowingTaskGroup(of: UploadedPart.self) { group in
                for number in [4, 2, 5, 1, 3] {
                    let slice = Array(bytes[(number - 1) * part..<number * part])
                    group.addTask { try await store.uploadPart(upload, number: number, offset: Int64((number - 1) * part), slice) }
                }
                return try await group.reduce(into: [UploadedPart]()) { $0.append($1) }
            }
            #expect(try await store.complete(upload, parts, ObjectAttributes(), ifAbsent: true) == .stored)
            #expect(try await store.read(key, 0..<Int64(bytes.count)) == bytes)
            let dropped = try await store.beginUpload(unique("dropped"), ObjectAttributes())
            await store.abort(dropped)
            await store.abort(dropped)
            #expect(try server.log().last { $0.method == "DELETE" }?.status == 499)
        }
    }

    // MARK: Refusals

    @Test func refusalsNameThePermissionAndWhatToDo() async throws {
        try await withGCSStub { server in
            let (store, pool) = try makeStore(server)
            defer { pool.stop() }
            try server.set(["deny": ["storage.objects.create", "storage.objects.list"]])
            let create = await failure { _ = try await store.put("a", [1], ObjectAttributes(), ifAbsent: true) }
            #expect(create?.code == "gcs.access_denied" && create?.hint?.contains("storage.objects.create") == true, "\(create.map { "\($0)" } ?? "")")
            #expect(create?.hint?.contains(GCSServer.account) == true)
            let list = await failure { try await store.prepare() }
            #expect(list?.hint?.contains("storage.objects.list") == true)
            try server.set(["deny": [String](), "faults": [["on": "get", "do": "503", "times": 100]]])
            let away = await failure { _ = try await store.head("a") }
            #expect(away?.disposition == .retry && away?.message.contains("503") == true)
        }
    }

    @Test func retriesAreCountedAndBounded() async throws {
        try await withGCSStub { server in
            let codes = CountingCodes()
            let (store, pool) = try makeStore(server, attempts: 4, onRetry: { codes.add($0) })
            defer { pool.stop() }
            try server.set(["faults": [["on": "put", "do": "429", "times": 2]]])
            #expect(try await store.put(unique("retry"), [1], ObjectAttributes(), ifAbsent: true) == .stored)
            #expect(codes.all == ["429", "429"])
            try server.set(["faults": [["on": "put", "do": "503", "times": 99]]])
            let before = try server.log().count
            #expect(await failure { _ = try await store.put("x", [1], ObjectAttributes(), ifAbsent: true) }?.disposition == .retry)
            #expect(try server.log().count - before == 4)
        }
    }

    // MARK: Tokens

    @Test func aServiceAccountsTokenIsSharedRenewedAndReplaced() async throws {
        try await withGCSStub { server in
            let (store, pool) = try makeStore(server)
            defer { pool.stop() }
            func tokensAsked() throws -> Int { try server.log().count { $0.path == "/token" } }
            let start = try tokensAsked()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for i in 0..<8 { group.addTask { _ = try await store.put("shared/\(UUID().uuidString)\(i)", [1], ObjectAttributes(), ifAbsent: true) } }
                try await group.waitForAll()
            }
            #expect(try tokensAsked() == start + 1, "all requests wait for one token")
            try server.expireTokens()
            #expect(try await store.head("nothing") == nil)
            #expect(try tokensAsked() == start + 2, "a token that was refused is replaced once")
            try server.set(["token_seconds": 1])
            try server.expireTokens()
            for _ in 0..<3 { _ = try await store.head("nothing") }
            #expect(try tokensAsked() >= start + 5, "one that ends within five minutes is renewed before it is used")
            // An endpoint that is away does not matter while a token lasts.
            try server.set(["token_seconds": 200])
            _ = try await store.head("nothing")
            try server.set(["faults": [["on": "token", "do": "503", "times": 50]]])
            #expect(try await store.head("nothing") == nil)
            try server.expireTokens()
            #expect(await failure { _ = try await store.head("nothing") }?.disposition == .retry)
        }
    }

    @Test func everyKindOfCredentialsGetsAToken() async throws {
        try await withGCSStub { server in
            let key = try String(contentsOfFile: server.keyFile, encoding: .utf8), host = String(server.endpoint.dropFirst(7))
            let user = """
                {"type":"authorized_user","client_id":"client","client_secret":"client-secret","refresh_token":"refresh","token_uri":"\(server.endpoint)/token"}
                """
            let outside = server.directory + "/outside.json"
            try #"{"token":"outside-token"}"#.write(toFile: outside, atomically: true, encoding: .utf8)
            let federated = """
                {"type":"external_account","audience":"//iam.googleapis.com/projects/1/x","subject_token_type":"urn:ietf:params:oauth:token-type:jwt",
                 "token_url":"\(server.endpoint)/token","service_account_impersonation_url":"\(server.endpoint)/iam/x:generateAccessToken",
                 "credential_source":{"file":"\(outside)","format":{"type":"json","subject_token_field_name":"token"}}}
                """
            let impersonated = """
                {"type":"impersonated_service_account","service_account_impersonation_url":"\(server.endpoint)/iam/x:generateAccessToken",
                 "source_credentials":\(user)}
                """
            for json in [key, user, federated, impersonated] {
                var chain = GoogleCredentialChain(json: Secret(json))
                chain.environment = { _ in nil }
                let (store, pool) = try makeStore(server, chain)
                defer { pool.stop() }
                #expect(try await store.put(unique("kinds"), [1], ObjectAttributes(), ifAbsent: true) == .stored)
            }
            var metadata = GoogleCredentialChain(usesDefault: true)
            metadata.environment = { $0 == "GCE_METADATA_HOST" ? host : $0 == "HOME" ? "/nonexistent" : nil }
            let (store, pool) = try makeStore(server, metadata)
            defer { pool.stop() }
            #expect(try await store.put(unique("kinds"), [1], ObjectAttributes(), ifAbsent: true) == .stored)
        }
    }

    @Test func refusedCredentialsSayWhy() async throws {
        try await withGCSStub { server in
            func refused(_ json: String) async throws -> ConnectorError? {
                var chain = GoogleCredentialChain(json: Secret(json))
                chain.environment = { _ in nil }
                let (store, pool) = try makeStore(server, chain)
                defer { pool.stop() }
                return await failure { try await store.prepare() }
            }
            let stranger = try Subprocess.run("openssl", ["genpkey", "-algorithm", "RSA"]).replacingOccurrences(of: "\n", with: "\\n")
            let wrong = try await refused(
                #"{"type":"service_account","client_email":"\#(GCSServer.account)","private_key":"\#(stranger)","token_uri":"\#(server.endpoint)/token"}"#)
            #expect(wrong?.code == "gcs.credentials_refused" && wrong?.message.contains("Invalid JWT Signature") == true, "\(wrong.map { "\($0)" } ?? "")")
            let user = try await refused(
                #"{"type":"authorized_user","client_id":"client","client_secret":"hush","refresh_token":"old","token_uri":"\#(server.endpoint)/token"}"#)
            #expect(user?.hint?.contains("clock") == true && user?.description.contains("hush") == false)
            for (json, word) in [
                ("[]", "JSON object"), (#"{"type":"service_account","client_email":"a"}"#, "private_key"),
                (#"{"type":"service_account","client_email":"a","private_key":"secret stuff"}"#, "PEM"), (#"{"type":"odd"}"#, "odd"),
            ] {
                let error = try await refused(json)
                #expect(error?.code == "gcs.credentials_invalid" && error?.message.contains(word) == true, "\(json): \(error.map { "\($0)" } ?? "")")
                #expect(error?.description.contains("secret stuff") == false)
            }
            var anonymous = GoogleCredentialChain()
            anonymous.environment = { _ in nil }
            let (store, pool) = try makeStore(server, anonymous)
            defer { pool.stop() }
            let error = await failure { try await store.prepare() }
            #expect(error?.hint?.contains("gcs.credentials.path") == true)
        }
    }

    @Test func theDoctorNamesWhatIsMissing() async throws {
        try await withGCSStub { server in
            func examined(_ settings: [String: String] = [:]) async throws -> [String: String] {
                let doctor = Notes()
                let configuration = try GCSSinkConfiguration(
                    ["gcs.bucket.name": server.bucket, "gcs.endpoint": server.endpoint, "gcs.credentials.path": server.keyFile].merging(settings) { $1 })
                try await GCSSinkConnector(configuration).examine(doctor)
                return doctor.all
            }
            let well = try await examined()
            #expect(well.values.allSatisfy { $0.hasPrefix("ok") }, "\(well)")
            #expect(well["credentials"]?.contains(GCSServer.account) == true && well["conditional write"] != nil && well["delete"] != nil)
            let ledger = try await examined(["exactly.once.mode": "ledger"])
            #expect(ledger["ledger"]?.hasPrefix("ok") == true && ledger.values.allSatisfy { $0.hasPrefix("ok") }, "\(ledger)")
            try server.set(["deny": ["storage.objects.delete"]])
            #expect(try await examined(["exactly.once.mode": "ledger"])["ledger"]?.contains("storage.objects.delete") == true)
            try server.set(["deny": ["storage.objects.create"]])
            let denied = try await examined()
            #expect(denied["bucket"]?.hasPrefix("ok") == true && denied["write"]?.contains("storage.objects.create") == true && denied["delete"] == nil)
            try server.set(["deny": [String]()])
            #expect(try await examined(["gcs.bucket.name": "nowhere"])["bucket"]?.contains("gcs.bucket_missing") == true)
            #expect(try await examined(["gcs.credentials.path": "/nonexistent"])["credentials"]?.contains("gcs.credentials_missing") == true)
        }
    }

    /// The stub is Google's as far as Google's own client can tell.
    @Test func googlesClientWorksWithTheStub() async throws {
        try await withGCSStub { server in
            let script = """
                import sys, google.auth.transport.requests
                from google.cloud import storage
                from google.oauth2 import service_account
                from google.api_core.exceptions import PreconditionFailed
                credentials = service_account.Credentials.from_service_account_file(sys.argv[1])
                client = storage.Client(project='demo', credentials=credentials, client_options={'api_endpoint': sys.argv[2]})
                bucket = client.bucket('lake')
                small = bucket.blob('py/small'); small.metadata = {'a': 'b'}
                small.upload_from_string(b'hello', if_generation_match=0, checksum='crc32c')
                try:
                    bucket.blob('py/small').upload_from_string(b'again', if_generation_match=0); print('overwritten')
                except PreconditionFailed:
                    pass
                large = bucket.blob('py/large', chunk_size=262144)
                large.upload_from_string(b'x' * 1000000, if_generation_match=0)
                joined = bucket.blob('py/joined'); joined.metadata = {'c': 'd'}; joined.content_type = 'text/plain'
                joined.compose([bucket.blob('py/small'), bucket.blob('py/small')], if_generation_match=0)
                try:
                    bucket.blob('py/joined').compose([bucket.blob('py/small')], if_generation_match=0); print('composed over')
                except PreconditionFailed:
                    pass
                made = bucket.get_blob('py/joined')
                assert made.download_as_bytes() == b'hellohello' and made.metadata == {'c': 'd'} and made.component_count == 2 and made.time_created
                made.delete()
                got = bucket.get_blob('py/small')
                print(got.metadata['a'], got.download_as_bytes() == b'hello', bucket.blob('py/large').download_as_bytes() == b'x' * 1000000,
                      [b.name for b in client.list_blobs('lake', prefix='py/')])
                """
            let output = try Python.run(script, [server.keyFile, server.endpoint]).trimmingCharacters(in: .whitespacesAndNewlines)
            #expect(output == "b True True ['py/large', 'py/small']")
        }
    }
}

final class CountingCodes: Sendable {
    private let codes = Mutex<[String]>([])
    func add(_ code: String) { codes.withLock { $0.append(code) } }
    var all: [String] { codes.withLock { $0 } }
}

/// What a doctor was told.
private final class Notes: Doctor {
    private let notes = Mutex<[String: String]>([:])
    var all: [String: String] { notes.withLock { $0 } }
    func step(_ name: String, _ body: () async throws -> String) async -> Bool {
        do {
            let found = try await body()
            notes.withLock { $0[name] = "ok " + found }
            return true
        } catch {
            notes.withLock { $0[name] = "\(error)" }
            return false
        }
    }
    func skip(_ name: String, _ reason: String) async { notes.withLock { $0[name] = "skipped " + reason } }
}
