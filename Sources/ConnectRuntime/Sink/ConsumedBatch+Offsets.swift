import ConnectAPI

/// What transforms made of a stored batch, as a sink takes it: every row with its offset, the batches in offset order without overlap.
///
/// A transform may send neighbouring rows to different batches (another topic, another schema). Then the batches are cut into runs, so that
/// the offset after each run says that everything before it was handed over or dropped.
func consumedBatches(_ outputs: [TransformedBatch], of stored: StoredBatch) -> [ConsumedBatch] {
    let end = stored.firstOffset + Int64(stored.batch.count)
    let outputs = outputs.filter { $0.batch.count > 0 }
    if outputs.count == 1, outputs[0].origins == nil {
        return [ConsumedBatch(outputs[0].batch, from: stored.partition, offsets: .contiguous(from: stored.firstOffset), nextOffset: end)]
    }
    struct Run {
        let output: Int
        var rows: Range<Int>
        let first: Int
    }
    let origins = outputs.map { $0.origins ?? Array(0..<$0.batch.count) }
    var runs: [Run] = []
    if overlap(origins) {
        // Row by row in the order of the log; a run ends where the next row is in another batch.
        let rows = origins.indices.flatMap { output in origins[output].indices.map { (origin: origins[output][$0], output: output, row: $0) } }
            .sorted { ($0.origin, $0.output) < ($1.origin, $1.output) }
        for row in rows {
            if let last = runs.last, last.output == row.output, last.rows.upperBound == row.row {
                runs[runs.count - 1].rows = last.rows.lowerBound..<row.row + 1
            } else {
                runs.append(Run(output: row.output, rows: row.row..<row.row + 1, first: row.origin))
            }
        }
    } else {
        runs = outputs.indices.map { Run(output: $0, rows: 0..<outputs[$0].batch.count, first: origins[$0][0]) }.sorted { $0.first < $1.first }
    }
    return runs.indices.map { i in
        let run = runs[i]
        return ConsumedBatch(
            outputs[run.output].batch.slice(run.rows), from: stored.partition,
            offsets: .each(origins[run.output][run.rows].map { stored.firstOffset + Int64($0) }),
            nextOffset: i + 1 < runs.count ? stored.firstOffset + Int64(runs[i + 1].first) : end)
    }
}

private func overlap(_ origins: [[Int]]) -> Bool {
    let spans = origins.map { ($0[0], $0[$0.count - 1]) }.sorted { $0.0 < $1.0 }
    return zip(spans, spans.dropFirst()).contains { $0.1 >= $1.0 }
}
