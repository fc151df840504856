import ConnectAPI
import Foundation
import Testing
import TestSupport
import Transport

@testable import ConnectorsObjectStore

@Suite struct SigV4Tests {
    private struct Case: Codable {
        var method: String, host: String, path: String, query: [[String]], headers: [[String]], hash: String, time: Int64, region: String, token: String?
    }

    static let nasty = [
        "a b", "a+b", "a=b", "a&b", "a?b", "a#b", "a%b", "%41", "%2F", "a:b", "a@b", "a,b", "a;b", "a!b", "a*b", "a'b", "a(b)", "a[b]", "a{b}",
        "a|b", "a\\b", "a^b", "a~b", "a`b", "a<b>c", "a\"b", "ü", "日本語", "😀", "e\u{301}", "a//b", "./a", "../a", "a/../b", "a/./b", "a/", " lead",
        "trail ", "a  b", "date=2026-01-01/t+0+0000000000.json", "$a", "-_.~", "0", "a\tb", ".hidden", "topics/x/partition=0/x+0+0000000000.snappy.parquet",
    ]

    /// botocore signs the same requests: signatures must be equal.
    @Test func signaturesAreBotocores() throws {
        var random = SeededGenerator(seed: 7)
        let letters = Array("abzAZ09 -_.~/+=&?#%:@,;!*'()[]$\"ü日😀")
        func text(_ n: Int) -> String { String((0..<n).map { _ in letters.randomElement(using: &random)! }) }
        var cases: [Case] = Self.nasty.map {
            Case(
                method: "PUT", host: "127.0.0.1:9000", path: "/b/" + PercentCoding.encode($0, keepingSlash: true), query: [], headers: [],
                hash: SigV4.unsignedPayload, time: 1_795_222_444, region: "us-east-1", token: nil)
        }
        while cases.count < 500 {
            cases.append(
                Case(
                    method: ["GET", "PUT", "POST", "DELETE", "HEAD"].randomElement(using: &random)!,
                    host: ["s3.eu-west-3.amazonaws.com", "b.s3.us-east-1.amazonaws.com", "minio:9000"].randomElement(using: &random)!,
                    path: "/" + PercentCoding.encode(text(Int.random(in: 0...30, using: &random)), keepingSlash: true),
                    query: (0..<Int.random(in: 0...4, using: &random)).map { _ in
                        [text(Int.random(in: 1...6, using: &random)), text(Int.random(in: 0...8, using: &random))]
                    },
                    headers: Bool.random(using: &random) ? [["x-amz-meta-k", " a   b "], ["Content-Type", "application/xml"], ["If-None-Match", "*"]] : [],
                    hash: Digest.hex(Digest.sha256(Array(text(20).utf8))), time: Int64.random(in: 1_400_000_000...2_000_000_000, using: &random),
                    region: "eu-west-3", token: Bool.random(using: &random) ? text(40).replacingOccurrences(of: " ", with: "x") : nil))
        }
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
        let ours = cases.map { c in
            let signer = SigV4(credentials: Credentials(accessKey: "AKID:x", secretKey: Secret(secret), sessionToken: c.token), region: c.region)
            return signer.sign(
                SigV4.Request(
                    method: c.method, path: c.path, query: c.query.map { ($0[0], $0[1]) }, host: c.host, headers: c.headers.map { ($0[0], $0[1]) },
                    payloadHash: c.hash), at: c.time
            ).last!.value
        }
        let script = """
            import json, sys, datetime
            from botocore.auth import S3SigV4Auth
            from botocore.awsrequest import AWSRequest
            from botocore.credentials import Credentials
            from urllib.parse import quote
            import botocore.auth as auth
            out = []
            for c in json.load(sys.stdin):
                now = datetime.datetime.fromtimestamp(c['time'], datetime.timezone.utc)
                auth.get_current_datetime = lambda *a, **k: now.replace(tzinfo=None)
                query = '&'.join(quote(k, safe='-_.~') + '=' + quote(v, safe='-_.~') for k, v in c['query'])
                request = AWSRequest(method=c['method'], url='https://' + c['host'] + c['path'] + ('?' + query if query else ''), headers=dict(c['headers']))
                request.headers['Host'] = c['host']
                request.headers['X-Amz-Content-SHA256'] = c['hash']
                signer = S3SigV4Auth(Credentials('AKID:x', '\(secret)', c.get('token')), 's3', c['region'])
                request.context['timestamp'] = now.strftime('%Y%m%dT%H%M%SZ')
                if 'X-Amz-Date' in request.headers: del request.headers['X-Amz-Date']
                request.headers['X-Amz-Date'] = request.context['timestamp']
                if c.get('token'): request.headers['X-Amz-Security-Token'] = c['token']
                canonical = signer.canonical_request(request)
                to_sign = signer.string_to_sign(request, canonical)
                signature = signer.signature(to_sign, request)
                signed = signer.signed_headers(signer.headers_to_sign(request))
                out.append('AWS4-HMAC-SHA256 Credential=%s, SignedHeaders=%s, Signature=%s' % (signer.scope(request), signed, signature))
            print(json.dumps(out))
            """
        let input = String(decoding: try JSONEncoder().encode(cases), as: UTF8.self)
        let theirs = try JSONDecoder().decode([String].self, from: Data(Python.run(script, input: input).utf8))
        #expect(theirs.count == ours.count)
        for i in ours.indices { #expect(ours[i] == theirs[i], "\(cases[i])") }
    }

    @Test func digestsAreKnownOnes() {
        #expect(Digest.hex(Digest.sha256([])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(Digest.crc32c(Array("123456789".utf8)) == 0xE306_9283)
        #expect(Digest.crc32c(Array("The quick brown fox jumps over the lazy dog".utf8)) == 0x2262_0404)
        var random = SeededGenerator(seed: 9)
        for count in [0, 1, 7, 8, 23, 24, 4095, 4096, 4097, 4119, 10_000, 100_003, 1 << 20] {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }, cut = Int.random(in: 0...count, using: &random)
            let byTables = bytes.withUnsafeBytes { CRC32C.byTables($0, 0) }
            #expect(Digest.crc32c(bytes) == byTables, "\(count) bytes")
            #expect(Digest.crc32c(Array(bytes[cut...]), continuing: Digest.crc32c(Array(bytes[..<cut]))) == byTables, "\(count) bytes cut at \(cut)")
        }
        for (text, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            #expect(Digest.base64(Array(text.utf8)) == encoded)
        }
        #expect(
            Digest.hex(Digest.hmacSHA256(key: Array("key".utf8), Array("The quick brown fox jumps over the lazy dog".utf8)))
                == "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8")
    }

    @Test func datesOfHeadersAreRead() {
        #expect(HTTPDate.seconds("Sat, 21 Nov 2026 08:15:00 GMT") == 1_795_248_900)
        #expect(HTTPDate.seconds("nonsense") == nil)
        #expect(SigV4.time(1_795_248_900) == "20261121T081500Z")
    }

    @Test func refusalsAreJudged() {
        func decision(_ status: Int, _ code: String = "", region: String? = nil) -> S3Error.Decision {
            let body =
                code.isEmpty
                ? ""
                : "<?xml version='1.0'?><Error><Code>\(code)</Code><Message>m</Message>\(region.map { "<Region>\($0)</Region>" } ?? "")<RequestId>r1</RequestId></Error>"
            return S3Error(HTTPResponse(status: status, headers: [:], body: Array(body.utf8))).decision
        }
        for (status, code) in [
            (503, "SlowDown"), (500, "InternalError"), (409, "ConditionalRequestConflict"), (409, "OperationAborted"), (400, "RequestTimeout"), (429, ""),
            (502, ""), (200, "InternalError"),
        ] {
            #expect(decision(status, code) == .retry)
        }
        for (status, code) in [(403, "AccessDenied"), (404, "NoSuchBucket"), (403, "SignatureDoesNotMatch"), (412, ""), (400, "InvalidArgument")] {
            #expect(decision(status, code) == .fail)
        }
        #expect(decision(400, "AuthorizationHeaderMalformed", region: "eu-west-3") == .adoptRegion("eu-west-3"))
        #expect(decision(403, "RequestTimeTooSkewed") == .adoptClock)
        #expect(decision(400, "ExpiredToken") == .reloadCredentials)
    }

    @Test func backOffIsBoundedAndBudgeted() {
        let policy = RetryPolicy(retries: 3, base: 200)
        for attempt in 0..<40 {
            #expect(policy.delay(attempt: attempt, retryAfter: nil, random: { $0.upperBound }) == min(20_000, 200 << Int64(min(attempt, 20))))
        }
        #expect(policy.delay(attempt: 0, retryAfter: 7000) == 7000)
        var budget = RetryBudget()
        var retries = 0
        while budget.spend(timeout: false) { retries += 1 }
        #expect(retries == 100)
        for _ in 0..<5 { budget.earn() }
        let earned = budget.spend(timeout: false)
        #expect(earned)
    }
}
