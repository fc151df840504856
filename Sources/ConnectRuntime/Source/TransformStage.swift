import ConnectAPI

/// Runs transforms over batches and finds the rows that fail, by halves: since batch boundaries carry no meaning, the rows left give the
/// same result in smaller batches.
///
/// A failure that passes (a registry that is away) is tried again with the same batch for `errors.retry.timeout`, before any row is blamed.
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
        } catch {
            return try await halves(of: batch, rows: 0..<batch.batch.count, failed: error, onFailure)
        }
    }

    private func persistently(_ batch: TransformedBatch) async throws -> [TransformedBatch] {
        var run = retries.begin()
        while true {
            do {
                return try apply(batch)
            } catch {
                guard ErrorRetries.mayPass(error), let wait = run.next() else { throw error }
                onRetry(error, wait)
                try await Task.sleep(for: wait)
            }
        }
    }

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
                for var result in try apply(part) {
                    result.origins = (result.origins ?? Array(0..<result.batch.count)).map { $0 + half.lowerBound }
                    out.append(result)
                }
            } catch {
                out += try await halves(of: batch, rows: half, failed: error, onFailure)
            }
        }
        return out
    }
}
