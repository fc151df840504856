import Foundation
import Testing
import TestSupport

/// `sluice doctor`, the real binary against a real S3.
@Suite(.serialized) struct DoctorTests {
    private func examine(_ directory: String, _ config: [String: String]) throws -> (status: Int32, lines: [String]) {
        let file = directory + "/lake.json"
        let base = [
            "connector.class": "io.confluent.connect.s3.S3SinkConnector", "topics": "t", "flush.size": "3", "s3.region": "us-east-1",
            "storage.class": "io.confluent.connect.s3.storage.S3Storage", "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
        ]
        try JSONSerialization.data(withJSONObject: ["name": "lake", "config": base.merging(config) { $1 }]).write(to: URL(fileURLWithPath: file))
        do {
            return (0, try Subprocess.run(SluiceWorker.binary, ["doctor", file]).split(separator: "\n").map(String.init))
        } catch let failure as Subprocess.Failure {
            return (failure.status, failure.output.split(separator: "\n").map(String.init))
        }
    }

    @Test func everyStepIsNamedAndTheFirstThatFailsSaysWhy() async throws {
        try await withSwiftS3 { server in
            try await withTemporaryDirectory { directory in
                let config = [
                    "store.url": server.endpoint, "s3.bucket.name": uniqueBucket(), "aws.access.key.id": server.accessKey,
                    "aws.secret.access.key": server.secret,
                ]
                let missing = try examine(directory, config)
                #expect(missing.status == 2 && missing.lines.last?.hasPrefix("FAIL  bucket") == true, "\(missing.lines)")
                #expect(missing.lines.last?.contains("s3.bucket.create") == true && missing.lines.last?.contains("[s3.bucket_missing]") == true)

                let good = try examine(directory, config.merging(["s3.bucket.create": "true"]) { $1 })
                #expect(good.status == 0 && good.lines.allSatisfy { $0.hasPrefix("ok") }, "\(good.lines)")
                let steps = good.lines.map { $0.dropFirst(6).prefix(22).trimmingCharacters(in: .whitespaces) }
                #expect(
                    steps == [
                        "configuration", "connector", "store", "credentials", "clock", "bucket", "write", "conditional write", "metadata", "read", "list",
                        "multipart upload", "delete",
                    ])

                let wrong = try examine(directory, config.merging(["aws.secret.access.key": "not-it"]) { $1 })
                #expect(wrong.status == 2 && wrong.lines.contains { $0.hasPrefix("FAIL  bucket") && $0.contains("[s3.credentials_refused]") }, "\(wrong.lines)")
                #expect(!wrong.lines.joined().contains("not-it"))

                let unknown = try examine(directory, config.merging(["format.class": "NoFormat"]) { $1 })
                #expect(
                    unknown.status == 2 && unknown.lines.contains { $0.hasPrefix("FAIL  configuration") && $0.contains("format.class") }, "\(unknown.lines)")
            }
        }
    }

    /// A service that forbids one action after the other: the permission is named.
    @Test func theMissingPermissionIsNamed() async throws {
        try await withSwiftS3 { server in
            try await withTemporaryDirectory { directory in
                for (step, permission, refuses) in [
                    ("write", "s3:PutObject", { @Sendable (r: FaultProxy.Request) in r.method == "PUT" && r.target.contains("doctor") }),
                    (
                        "read", "s3:GetObject",
                        { @Sendable (r: FaultProxy.Request) in r.method == "GET" && r.target.contains("doctor") && r.headers["range"] != nil }
                    ),
                    (
                        "list", "s3:ListBucket",
                        { @Sendable (r: FaultProxy.Request) in r.method == "GET" && r.target.contains("list-type=2") && r.target.contains("doctor") }
                    ),
                    ("delete", "s3:DeleteObject", { @Sendable (r: FaultProxy.Request) in r.method == "DELETE" && !r.target.contains("uploadId") }),
                ] as [(String, String, @Sendable (FaultProxy.Request) -> Bool)] {
                    let proxy = try FaultProxy(to: server.port) { refuses($0) ? .answer(403, body: FaultProxy.error("AccessDenied", "Access Denied")) : nil }
                    defer { proxy.stop() }
                    let found = try examine(
                        directory,
                        [
                            "store.url": proxy.endpoint, "s3.bucket.name": uniqueBucket(), "s3.bucket.create": "true", "aws.access.key.id": server.accessKey,
                            "aws.secret.access.key": server.secret,
                        ])
                    #expect(found.status == 2, "\(step)")
                    #expect(
                        found.lines.contains { $0.hasPrefix("FAIL  \(step)") && $0.contains("Allow \(permission) on arn:aws:s3:::") }, "\(step): \(found.lines)"
                    )
                }
            }
        }
    }

    @Test func aDirectoryIsExaminedToo() async throws {
        try await withTemporaryDirectory { directory in
            let good = try examine(directory, ["store.url": "file://\(directory)/lake"])
            #expect(good.status == 0, "\(good.lines)")
            let bad = try examine(directory, ["store.url": "file:///proc/nowhere"])
            #expect(bad.status == 2 && bad.lines.last?.hasPrefix("FAIL  bucket") == true, "\(bad.lines)")
        }
    }
}
