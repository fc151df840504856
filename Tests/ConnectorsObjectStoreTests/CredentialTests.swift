import ConnectAPI
import Foundation
import Synchronization
import Testing
import TestSupport
import Transport

@testable import ConnectorsObjectStore

/// The credential chain against the documented exchanges of AWS's services; roles against moto.
@Suite(.serialized) struct CredentialTests {
    private func chain(_ environment: [String: String]) -> CredentialChain {
        var chain = CredentialChain()
        let all = ["HOME": "/nowhere", "AWS_EC2_METADATA_DISABLED": "true"].merging(environment) { $1 }
        chain.environment = { all[$0] }
        return chain
    }

    private func withHTTP<T>(_ body: (CredentialHTTP) async throws -> T) async throws -> T {
        let pool = BlockingPool(threads: 2), transport = HTTPTransport()
        defer { pool.stop() }
        return try await body(
            CredentialHTTP(exchange: { request in try await pool.run { try transport.perform(request, cancel: $0) } }, pool: pool))
    }

    private func find(_ chain: CredentialChain) async throws -> FoundCredentials? { try await withHTTP { try await chain.resolve($0) } }

    private static func document(_ expires: String = "2027-01-02T03:04:05Z") -> String {
        "{\"Code\":\"Success\",\"AccessKeyId\":\"AK\",\"SecretAccessKey\":\"SK\",\"Token\":\"TK\",\"Expiration\":\"\(expires)\"}"
    }

    @Test func theOrderIsThatOfAWS() async throws {
        try await withTemporaryDirectory { home in
            try FileManager.default.createDirectory(atPath: home + "/.aws", withIntermediateDirectories: true)
            try "[default]\naws_access_key_id = P\naws_secret_access_key = S\n[other]\naws_access_key_id=O\naws_secret_access_key=T\naws_session_token=U\n"
                .write(toFile: home + "/.aws/credentials", atomically: true, encoding: .utf8)
            try
                "[default]\nregion = eu-west-3\n[profile p]\ncredential_process = printf '{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"B\"}'\n[profile sso]\nsso_session=x\n"
                .write(toFile: home + "/.aws/config", atomically: true, encoding: .utf8)
            let environment = ["HOME": home, "AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "F", "AWS_SESSION_TOKEN": "G"]
            var configured = chain(environment)
            configured.configured = Credentials(accessKey: "C", secretKey: Secret("D"))
            #expect(try await find(configured)?.credentials.accessKey == "C")
            let fromEnvironment = try await find(chain(environment))
            #expect(fromEnvironment?.credentials.accessKey == "E" && fromEnvironment?.credentials.sessionToken == "G")
            #expect(try await find(chain(["HOME": home]))?.credentials.accessKey == "P")
            #expect(chain(["HOME": home]).namedRegion() == "eu-west-3" && chain(["HOME": home, "AWS_REGION": "x"]).namedRegion() == "x")
            let other = try await find(chain(["HOME": home, "AWS_PROFILE": "other"]))
            #expect(other?.credentials.sessionToken == "U" && other?.source.contains("profile 'other'") == true)
            #expect(try await find(chain(["HOME": home, "AWS_PROFILE": "p"]))?.credentials.accessKey == "A")
            await #expect(throws: ConnectorError.self) { try await find(chain(["HOME": home, "AWS_PROFILE": "sso"])) }
            var anonymous = chain([:])
            anonymous.anonymous = true
            #expect(try await find(anonymous) == nil)
            do {
                _ = try await find(chain([:]))
                Issue.record("nothing was to be found")
            } catch let error as ConnectorError {
                #expect(error.code == "s3.credentials_missing" && error.message.contains("AWS_ACCESS_KEY_ID") && error.hint?.contains("${env:") == true)
            }
        }
    }

    @Test func aContainerIsAskedWithItsToken() async throws {
        let stub = try FaultProxy(to: 0) { request in
            request.target == "/creds" && request.headers["authorization"] == "pod-token" ? .answer(200, body: Self.document()) : .answer(403)
        }
        defer { stub.stop() }
        try await withTemporaryDirectory { directory in
            try "pod-token\n".write(toFile: directory + "/token", atomically: true, encoding: .utf8)
            let environment = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": stub.endpoint + "/creds", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": directory + "/token"]
            let found = try await find(chain(environment))
            #expect(found?.credentials.accessKey == "AK" && found?.credentials.sessionToken == "TK" && found?.credentials.expiration == 1_798_859_045_000)
            await #expect(throws: ConnectorError.self) { try await find(chain(environment.merging(["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/no"]) { $1 })) }
            // A token is not sent to strangers in the clear.
            await #expect(throws: ConnectorError.self) { try await find(chain(["AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://10.0.0.1/creds"])) }
        }
        #expect(ContainerCredentials.isLocal("http://127.0.0.1:80/x") && !ContainerCredentials.isLocal("http://127.0.0.1.evil.com/x"))
    }

    @Test func anInstanceIsAskedByVersionTwo() async throws {
        let stub = try FaultProxy(to: 0) { request in
            switch (request.method, request.target) {
            case ("PUT", "/latest/api/token") where request.headers["x-aws-ec2-metadata-token-ttl-seconds"] == "21600": .answer(200, body: "session")
            case ("GET", "/latest/meta-data/iam/security-credentials/") where request.headers["x-aws-ec2-metadata-token"] == "session":
                .answer(200, body: "role-1")
            case ("GET", "/latest/meta-data/iam/security-credentials/role-1") where request.headers["x-aws-ec2-metadata-token"] == "session":
                .answer(200, body: Self.document())
            default: .answer(401)
            }
        }
        defer { stub.stop() }
        let environment = ["AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": stub.endpoint + "/"]
        let found = try await find(chain(environment))
        #expect(found?.credentials.secretKey.value == "SK" && found?.source.contains("role-1") == true)
        await #expect(throws: ConnectorError.self) { try await find(chain(environment.merging(["AWS_EC2_METADATA_DISABLED": "true"]) { $1 })) }
    }

    @Test func rolesComeFromSTS() async throws {
        try await withMoto { moto in
            try await withTemporaryDirectory { directory in
                var byConfiguration = chain(["AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"])
                byConfiguration.stsEndpoint = moto.endpoint
                byConfiguration.role = AssumedRole(arn: "arn:aws:iam::123456789012:role/writer", sessionName: "lake", externalID: "x y", duration: 900)
                let assumed = try await find(byConfiguration)
                #expect(assumed?.credentials.sessionToken?.isEmpty == false && assumed?.credentials.accessKey != "a")
                let life = (assumed?.credentials.expiration ?? 0) - WallClock.milliseconds
                #expect((800_000...1_000_000).contains(life), "lives \(life) ms")

                try "jwt".write(toFile: directory + "/jwt", atomically: true, encoding: .utf8)
                let web = try await find(
                    chain([
                        "AWS_WEB_IDENTITY_TOKEN_FILE": directory + "/jwt", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/pod",
                        "AWS_ENDPOINT_URL_STS": moto.endpoint,
                    ]))
                #expect(web?.credentials.sessionToken?.isEmpty == false && web?.source.contains("role/pod") == true)

                try FileManager.default.createDirectory(atPath: directory + "/.aws", withIntermediateDirectories: true)
                try
                    "[profile base]\naws_access_key_id=a\naws_secret_access_key=b\n[profile r]\nrole_arn=arn:aws:iam::123456789012:role/r\nsource_profile=base\n[profile loop]\nrole_arn=arn:aws:iam::123456789012:role/r\nsource_profile=loop2\n[profile loop2]\nrole_arn=arn:aws:iam::123456789012:role/r\nsource_profile=loop\n"
                    .write(toFile: directory + "/.aws/config", atomically: true, encoding: .utf8)
                func profile(_ name: String) -> CredentialChain { chain(["HOME": directory, "AWS_PROFILE": name, "AWS_ENDPOINT_URL_STS": moto.endpoint]) }
                #expect(try await find(profile("r"))?.source.contains("role/r") == true)
                await #expect(throws: ConnectorError.self) { try await find(profile("loop")) }
            }
        }
    }

    @Test func credentialsAreRenewedBeforeTheyExpire() async throws {
        let clock = TestClock(1_800_000_000_000)
        let answers = Mutex((count: 0, isDown: false))
        let stub = try FaultProxy(to: 0) { _ in
            answers.withLock { state in
                if state.isDown { return .answer(500) }
                state.count += 1
                let expires = ISO8601.timestamp(micros: (clock.now + 3_600_000) * 1000, fractionDigits: 0)
                return .answer(200, body: Self.document(expires).replacingOccurrences(of: "\"AK\"", with: "\"AK\(state.count)\""))
            }
        }
        defer { stub.stop() }
        try await withHTTP { (http: CredentialHTTP) async throws -> Void in
            let provider = CredentialProvider(
                chain(["AWS_CONTAINER_CREDENTIALS_FULL_URI": stub.endpoint + "/"]), http, log: Logger("test"), clock: { clock.now })
            #expect(try await provider.current()?.accessKey == "AK1")
            #expect(provider.expiresIn == 3600)
            clock.advance(3_000_000)
            #expect(try await provider.current()?.accessKey == "AK1")
            clock.advance(310_000)
            #expect(try await provider.current()?.accessKey == "AK2", "five minutes before the end")
            provider.expire()
            #expect(try await provider.current()?.accessKey == "AK3", "when the service says so")
            clock.advance(3_400_000)
            answers.withLock { $0.isDown = true }
            #expect(try await provider.current()?.accessKey == "AK3", "still good while renewing fails")
            clock.advance(300_000)
            await #expect(throws: ConnectorError.self) { try await provider.current() }
        }
    }

    @Test func timesOfExpiryAreRead() {
        #expect(CredentialTime.milliseconds("2026-11-26T01:02:03Z") == 1_795_654_923_000)
        #expect(CredentialTime.milliseconds("2026-11-26T01:02:03.456Z") == 1_795_654_923_000)
        #expect(CredentialTime.milliseconds("2026-11-26T03:02:03+02:00") == 1_795_654_923_000)
        for text in ["", "2026", "2026-13-26T01:02:03Z", "20xx-11-26T01:02:03Z", "2026-11-26T01:02:03+"] {
            #expect(CredentialTime.milliseconds(text) == nil, "\(text)")
        }
    }
}
