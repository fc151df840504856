import ConnectAPI
import Foundation
import JSON
import Testing
import TestSupport
import Transport

@testable import ConnectorsObjectStore

/// The parts of the GCS store that need no server: where credentials come from, what answers mean, when to try again.
@Suite struct GCSProtocolTests {
    // MARK: Credentials

    private static let user = #"{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}"#

    private func chain(_ variables: [String: String], usesDefault: Bool = true) -> GoogleCredentialChain {
        var chain = GoogleCredentialChain(usesDefault: usesDefault)
        chain.environment = { variables[$0] }
        return chain
    }

    @Test func defaultCredentialsAreLookedForInGooglesOrder() async throws {
        try await withTemporaryDirectory { directory in
            let named = directory + "/named.json", gcloud = directory + "/.config/gcloud"
            try Self.user.replacingOccurrences(of: "\"c\"", with: "\"named\"").write(toFile: named, atomically: true, encoding: .utf8)
            func clientID(_ credentials: GoogleCredentials) -> String? {
                if case .authorizedUser(let id, _, _, _) = credentials { return id }
                return nil
            }
            guard case .metadataServer("metadata.google.internal") = try chain(["HOME": directory]).resolve() else {
                Issue.record("without a file the metadata server is asked")
                return
            }
            try FileManager.default.createDirectory(atPath: gcloud, withIntermediateDirectories: true)
            try Self.user.write(toFile: gcloud + "/application_default_credentials.json", atomically: true, encoding: .utf8)
            #expect(try clientID(chain(["HOME": directory]).resolve()) == "c")
            #expect(try clientID(chain(["HOME": "/nonexistent", "CLOUDSDK_CONFIG": gcloud]).resolve()) == "c")
            #expect(try clientID(chain(["HOME": directory, "GOOGLE_APPLICATION_CREDENTIALS": named]).resolve()) == "named")
            guard case .anonymous = try chain(["GOOGLE_APPLICATION_CREDENTIALS": named], usesDefault: false).resolve() else {
                Issue.record("nothing is looked for unless it is asked for")
                return
            }
            let missing = #expect(throws: ConnectorError.self) { _ = try chain(["GOOGLE_APPLICATION_CREDENTIALS": directory + "/none"]).resolve() }
            #expect(missing?.code == "gcs.credentials_missing" && missing?.message.contains(directory + "/none") == true)
        }
        #expect(chain(["STORAGE_EMULATOR_HOST": "127.0.0.1:9023"]).emulator == "http://127.0.0.1:9023")
        #expect(chain(["STORAGE_EMULATOR_HOST": "http://h:1"]).emulator == "http://h:1" && chain([:]).emulator == nil)
    }

    @Test func endpointsAreTakenAsPeopleWriteThem() throws {
        #expect(try GCSEndpoint(url: nil, bucket: "b").object("a/b c") == "https://storage.googleapis.com/storage/v1/b/b/o/a%2Fb%20c")
        #expect(try GCSEndpoint(url: "http://h:9/", bucket: "b").upload == "http://h:9/upload/storage/v1/b/b/o")
        #expect(try GCSEndpoint(url: "private.example", bucket: "b").base == "https://private.example")
        for url in ["ftp://h", "http://", "http://u@h", "http:///x"] {
            #expect(throws: ConnectorError.self, "\(url)") { _ = try GCSEndpoint(url: url, bucket: "b") }
        }
    }

    // MARK: Answers

    @Test func onlyWhatMayPassIsTriedAgain() {
        for (status, reason, decision) in [
            (408, "", GCSError.Decision.retry), (429, "rateLimitExceeded", .retry), (500, "", .retry), (503, "backendError", .retry),
            (403, "rateLimitExceeded", .retry), (403, "forbidden", .fail), (401, "authError", .renewToken), (412, "conditionNotMet", .exists),
            (404, "notFound", .fail),
            (400, "invalid", .fail), (501, "", .fail),
        ] { #expect(GCSError(status: status, reason: reason).decision == decision, "\(status) \(reason)") }
    }

    @Test func backOffGrowsWithJitterUpToItsLimits() {
        let retry = GCSRetry(initialDelay: 100, multiplier: 3, maxDelay: 2000, totalTimeout: 10_000, maxAttempts: 5)
        #expect((1...4).map { retry.delay(after: $0, elapsed: 0, retryAfter: nil) { $0.upperBound } } == [100, 300, 900, 2000])
        #expect(retry.delay(after: 5, elapsed: 0, retryAfter: nil) == nil, "all attempts are used up")
        #expect(retry.delay(after: 1, elapsed: 9950, retryAfter: nil) { $0.upperBound } == nil, "the time is up")
        #expect(retry.delay(after: 1, elapsed: 0, retryAfter: 700) == 700, "the service's wish")
        #expect(GCSRetry(totalTimeout: 0, maxAttempts: 0).delay(after: 1, elapsed: 0, retryAfter: nil) == nil)
        #expect(GCSRetry(totalTimeout: 0, maxAttempts: 3).delay(after: 2, elapsed: .max / 2, retryAfter: nil) != nil)
    }

    @Test func aChecksumGoesOnWhereItStopped() {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        for cut in [0, 1, 7, 8, 500, 999, 1000] {
            #expect(Digest.crc32c(Array(bytes[cut...]), continuing: Digest.crc32c(Array(bytes[..<cut]))) == Digest.crc32c(bytes))
        }
        #expect(Digest.crc32c(Array("123456789".utf8)) == 0xE306_9283)
    }

    private func answer(_ status: Int, range: String? = nil, body: String = "") -> HTTPResponse {
        HTTPResponse(status: status, headers: range.map { ["range": $0] } ?? [:], body: Array(body.utf8))
    }

    @Test func aSessionSendsQuantaAndBelievesTheService() {
        let quantum = ResumableUpload.quantum
        var upload = ResumableUpload(session: "s")
        #expect(upload.chunk(last: false) == nil && upload.chunk(last: true)?.range == "bytes */0")
        upload.take([UInt8](repeating: 1, count: 2 * quantum + 5))
        #expect(upload.chunk(last: false)?.range == "bytes 0-\(2 * quantum - 1)/*")
        #expect(upload.answered(answer(308)) == .moved(0), "nothing arrived")
        #expect(upload.answered(answer(308, range: "bytes=0-\(quantum - 1)")) == .moved(Int64(quantum)))
        #expect(upload.chunk(last: true)?.range == "bytes \(quantum)-\(2 * quantum + 4)/\(2 * quantum + 5)")
        #expect(upload.answered(answer(308, range: "bytes=0-\(quantum + 9)")) == .moved(0), "less than a quantum is sent again")
        for range in ["bytes=0-\(9 * quantum)", "bytes=0-x", "nonsense", "bytes=0-9223372036854775807"] {
            #expect(upload.answered(answer(308, range: range)) == .impossible, "\(range)")
        }
        #expect(upload.answered(answer(200, body: #"{"crc32c":"abc="}"#)) == .complete(checksum: "abc="))
        #expect(upload.restart(session: "t") && upload.chunk(last: true)?.body.count == 2 * quantum + 5, "the bytes that were sent are kept for a while")
    }

    /// Answers of any bytes are understood, refused or empty, and never a trap.
    @Test func anyBytesAreAnAnswer() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let samples = [
            #"{"error":{"code":403,"message":"no","errors":[{"reason":"forbidden","domain":"global"}]}}"#, #"{"access_token":"t","expires_in":3599}"#,
            #"{"accessToken":"t","expireTime":"2026-01-01T00:00:00Z"}"#, #"{"items":[{"name":"a"}],"nextPageToken":"b"}"#, Self.user,
            #"{"type":"external_account","audience":"a","subject_token_type":"t","token_url":"u","credential_source":{"url":"x","headers":{"a":"b"}}}"#,
            #"{"type":"service_account","client_email":"e","private_key":"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"}"#,
        ]
        for round in 0..<6000 {
            var bytes =
                round % 3 == 0
                ? (0..<Int.random(in: 0...60, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
                : Array(samples[round % samples.count].utf8)
            if round % 3 != 0 {
                for _ in 0..<Int.random(in: 0...4, using: &random) where !bytes.isEmpty {
                    let at = Int.random(in: 0..<bytes.count, using: &random)
                    if Bool.random(using: &random) { bytes[at] = UInt8.random(in: 0...255, using: &random) } else { bytes.removeSubrange(at...) }
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            for status in [200, 308, 400, 401, 403, 404, 412, 503] {
                let response = HTTPResponse(status: status, headers: ["range": text, "retry-after": text, "location": text], body: bytes)
                let error = GCSError(response)
                _ = error.connectorError("do it", at: try GCSEndpoint(url: nil, bucket: "b"), permission: "p", credentials: "c").description
                _ = GoogleTokenRequest.refusal(response, from: "u", for: .anonymous)
                var upload = ResumableUpload(session: "s")
                upload.take([1, 2, 3])
                _ = upload.answered(response)
            }
            _ = GoogleTokenRequest.token(bytes, at: 0)
            _ = try? GoogleCredentials(json: bytes, place: "a file")
        }
    }
}
