import Foundation
import TestSupport
import Testing

/// A data directory on a disk that fills up: the worker says so, waits, and goes on where it was once there is room. Nothing is lost.
@Suite struct DiskFullTests {
    /// Mounting a file system needs root, which CI has.
    static let canMount =
        getuid() == 0 && (try? Subprocess.run("bash", ["-c", "d=$(mktemp -d) && mount -t tmpfs -o size=1m none $d && umount $d && rmdir $d"])) != nil

    @Test(.enabled(if: canMount)) func aFullDiskIsWaitedOutAndNothingIsLost() async throws {
        try await withTemporaryDirectory { directory in
            let data = directory + "/data"
            try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
            try Subprocess.run("mount", ["-t", "tmpfs", "-o", "size=3m", "none", data])
            defer { _ = try? Subprocess.run("umount", ["-l", data]) }
            // Lines that do not compress, more than the disk holds.
            let count = 60_000
            try Subprocess.run(
                "python3",
                ["-c", "import random, sys; random.seed(7); [print(i, '%0160x' % random.getrandbits(640)) for i in range(int(sys.argv[1]))]", String(count)]
            ).write(toFile: directory + "/in.txt", atomically: true, encoding: .utf8)
            let worker = try SluiceWorker(directory: directory)
            defer { worker.kill() }
            let text = ["value.converter": "org.apache.kafka.connect.storage.StringConverter"]
            try worker.configure(
                "source", ["connector.class": "FileStreamSource", "file": directory + "/in.txt", "topic": "lines"].merging(text) { $1 })
            try worker.start()
            try await worker.waitUntilReady()
            try await worker.wait("the worker says that its disk is full") { worker.log.contains("log.disk_full") || worker.log.contains("disk is full") }
            #expect(worker.isRunning)
            let full = worker.log
            #expect(full.contains(data) && full.contains("trying again"), "it says where, and that it waits")
            // The rest of the worker goes on: it answers, and the task waits instead of failing.
            #expect(try worker.request("GET", "/connectors/source/status").body.contains("\"state\":\"RUNNING\""))
            #expect(try worker.request("GET", "/health").status == 200)

            try Subprocess.run("mount", ["-o", "remount,size=200m", data])
            try worker.configure("sink", ["connector.class": "FileStreamSink", "file": directory + "/out.txt", "topics": "lines"].merging(text) { $1 })
            try await worker.wait("every line has arrived", seconds: 90) {
                (try? Subprocess.run("wc", ["-l", directory + "/out.txt"]))?.split(separator: " ").first == Substring(String(count))
            }
            try Subprocess.run("cmp", [directory + "/in.txt", directory + "/out.txt"])
            #expect(worker.stop() == 0)
        }
    }
}
