import ConnectAPI
import Glibc

/// Credentials that a program prints: `credential_process` of a profile.
struct ProcessCredentials: Sendable {
    let command: String
    let place: String
    private static let seconds = 60

    func find(_ http: CredentialHTTP) async throws -> FoundCredentials {
        let output = try await http.pool.run { cancel in try run(cancel) }
        return try CredentialAnswer.read(output, token: "SessionToken", source: "credential_process of \(place)")
    }

    private func failed(_ why: String) -> ConnectorError {
        ConnectorError(
            "s3.credentials_process", .retry, "credential_process of \(place) \(why)",
            hint: "Run the command by hand as this user: it must print a JSON document with AccessKeyId and SecretAccessKey within \(Self.seconds) s")
    }

    private func run(_ cancel: CancelFlag) throws -> [UInt8] {
        var pipes: [Int32] = [0, 0]
        guard pipe(&pipes) == 0 else { throw failed("could not be started: \(String(cString: strerror(errno)))") }
        defer { close(pipes[0]) }
        for end in pipes { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, pipes[1], 1)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        var pid = pid_t()
        let words = ["/bin/sh", "-c", command].map { (word: String) -> UnsafeMutablePointer<CChar>? in strdup(word) } + [nil]
        defer { for word in words { free(word) } }
        let started = posix_spawn(&pid, "/bin/sh", &actions, nil, words, environ)
        close(pipes[1])
        guard started == 0 else { throw failed("could not be started: \(String(cString: strerror(started)))") }

        // Invariant 7: it has a deadline and can be cancelled.
        var output: [UInt8] = [], chunk = [UInt8](repeating: 0, count: 4096), isOver = false, ticks = 0
        while !isOver, ticks < Self.seconds * 10, output.count < 1 << 16, !cancel.isCancelled {
            var waiting = pollfd(fd: pipes[0], events: Int16(POLLIN), revents: 0)
            if poll(&waiting, 1, 100) > 0 {
                let n = read(pipes[0], &chunk, chunk.count)
                if n > 0 { output += chunk[0..<n] } else { isOver = true }
            } else {
                ticks += 1
            }
        }
        if !isOver { kill(pid, SIGKILL) }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        if cancel.isCancelled { throw CancellationError() }
        guard isOver else { throw failed("did not end in time") }
        guard status == 0 else { throw failed("ended with status \(status >> 8 & 255)") }
        return output
    }
}
