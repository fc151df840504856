import ConnectAPI

/// Runs transforms over batches and finds the rows that fail, by halves: since batch boundaries carry no meaning, the rows left give the
/// same result in smaller batches.
///
/// A failure that passes is tried again with the same batch for `errors.retry.timeout`, before any row is blamed. What a transform or a converter must
/// ask outside first (`Lookup`) is no row's fault: it is waited for, for as long as it takes.
struct TransformStage: Sendable {
    let retries: ErrorRetries
    /// Told of each wait.
    var onRetry: @Sendable (any Error, Duration) -> Void = { _, _ in }
    let apply: @Sendable (TransformedBatch) throws -> [TransformedBatch]

    /// `onFailure` is told each row that fails, with its place in the batch; it throws when the record is not tolerated.
    func run(_ batch: TransformedBatch, onFailure: (_ row: Int, any Error) async throws -> Void) async throws -> [TransformedBatch] {
        do {
            return try await persistently(batch)
        } catch let cancelled as CancellationError {
            throw cancelled
        } catch let lookup as LookupFailed {
            throw lookup.error
        } catch {
            return try await halves(of: batch, rows: 0..<batch.batch.count, failed: error, onFailure)
        }
    }

    private func persistently(_ batch: TransformedBatch) async throws -> [TransformedBatch] {
        var run = retries.begin()
        while true {
            do {
                return try await answered(batch)
            } catch {
                guard !(error is LookupFailed), ErrorRetries.mayPass(error), let wait = run.next() else { throw error }
                onRetry(error, wait)
                try await Task.sleep(for: wait)
            }
        }
    }

    private func answered(_ batch: TransformedBatch) async throws -> [TransformedBatch] {
        try await Lookup.resolving(by: wait) { try apply(batch) }
    }

    /// Until somebody answers.
    private func wait(for lookup: Lookup) async throws {
        var backoff = Backoff(initial: .milliseconds(300), maximum: .seconds(30))
        while true {
            do { return try await lookup.resolve() } catch let error as ConnectorError {
                guard error.disposition == .retry else { throw LookupFailed(error: error) }
                let pause = backoff.next()
                onRetry(error, pause)
                try await Task.sleep(for: pause)
            }
        }
    }

    /// Somebody answered, and wants something changed first: no row is to blame.
    private struct LookupFailed: Error { let error: ConnectorError }

    private func halves(
        of batch: TransformedBatch, rows: Range<Int>, failed error: any Error, _ onFailure: (Int, any Error) async throws -> Void
    ) async throws -> [TransformedBatch] {
        guard rows.count > 1 else {
            if let row = rows.first { try await onFailure(row, error) }
            return []
        }
        let middle = rows.lowerBound + rows.count / 2
        var out: [TransformedBatch] = []
        for half in [rows.lowerBound..<middle, middle..<rows.upperBound] {
            var part = TransformedBatch(batch.batch.slice(half), partition: batch.partition)
            part.firstOffset = batch.firstOffset.map { $0 + Int64(half.lowerBound) }
            do {
                for var result in try await answered(part) {
                    result.origins = (result.origins ?? Array(0..<result.batch.count)).map { $0 + half.lowerBound }
                    out.append(result)
                }
            } catch let lookup as LookupFailed {
                throw lookup.error
            } catch {
                out += try await halves(of: batch, rows: half, failed: error, onFailure)
            }
        }
        return out
    }
}
