import ConnectAPI

/// The channel of one partition and one table: what was appended and is not committed yet is kept, so that a channel that must be opened again
/// gets it again.
final class Channel {
    struct Chunk {
        var rows: [UInt8]
        let start: Int64
        var end: Int64
        var count: Int
        var isSent = false
    }

    let place: StreamingClient.Place
    let table: ObjectName
    let partition: TopicPartition
    private let client: StreamingClient
    private let log: Logger
    private var continuation: String?
    /// Rows up to here are in the table.
    private(set) var committed: Int64 = -1
    private(set) var chunks: [Chunk] = []
    private(set) var errorRows: Int64 = 0
    private var reopenings = 0
    // The chunk that takes rows.
    private var open: Chunk?
    private var openedAt: Int64 = 0

    init(_ place: StreamingClient.Place, table: ObjectName, partition: TopicPartition, _ client: StreamingClient, log: Logger) {
        self.place = place
        self.table = table
        self.partition = partition
        self.client = client
        self.log = log
    }

    var bufferedBytes: Int { chunks.reduce(open?.rows.count ?? 0) { $0 + $1.rows.count } }
    /// The first offset that is not known to be committed; nil: all are.
    var firstUncommitted: Int64? { chunks.first?.start ?? open?.start }
    /// When the chunk that takes rows was begun.
    var openSince: Int64? { open == nil ? nil : openedAt }
    var openBytes: Int { open?.rows.count ?? 0 }

    /// Learns where the channel stands; what was sent before and is not committed will be sent again.
    func reopen() async throws {
        let (token, status) = try await client.open(place)
        continuation = token
        errorRows = status.errorRows
        settle(status.committed ?? -1)
        for i in chunks.indices { chunks[i].isSent = false }
    }

    func append(_ lines: ArraySlice<UInt8>, from start: Int64, to end: Int64, count: Int, now: Int64) {
        guard open != nil else {
            open = Chunk(rows: Array(lines), start: start, end: end, count: count)
            openedAt = now
            return
        }
        open?.rows.append(contentsOf: lines)
        open?.end = end
        open?.count += count
    }

    /// Ends the chunk that takes rows.
    func seal() {
        if let chunk = open { chunks.append(chunk) }
        open = nil
    }

    /// Sends what is sealed and not sent, in order.
    func send(_ sent: (Chunk) -> Void) async throws {
        while let i = chunks.firstIndex(where: { !$0.isSent }) {
            if continuation == nil { try await reopen() }
            guard let token = continuation, i < chunks.count else { continue }
            do {
                continuation = try await client.append(chunks[i].rows, to: place, continuation: token, from: chunks[i].start, to: chunks[i].end)
                chunks[i].isSent = true
                sent(chunks[i])
            } catch is StreamingClient.StaleChannel {
                try invalidate()
            }
        }
    }

    /// The channel must be opened again.
    func invalidate() throws {
        continuation = nil
        reopenings += 1
        guard reopenings <= 5 else {
            throw ConnectorError(
                "snowflake.channel_contested", .stop, "The channel \(place.channel) of \(place.pipe) was taken over again and again",
                hint: "Another connector or worker of the same name writes \(partition): stop it, or give this one another name")
        }
        log.warn("The channel \(place.channel) of \(place.pipe) was opened elsewhere or lost its place; it is opened again")
    }

    /// Takes what the service says; returns how many rows it could not take since the last time.
    func take(_ status: StreamingClient.ChannelStatus) throws -> Int64 {
        if !status.isValid { try invalidate() }
        if let offset = status.committed, offset > committed {
            reopenings = 0
            settle(offset)
        }
        defer { errorRows = max(errorRows, status.errorRows) }
        return max(0, status.errorRows - errorRows)
    }

    /// Offsets may have gaps, so they are compared, never counted.
    private func settle(_ offset: Int64) {
        committed = max(committed, offset)
        chunks.removeAll { $0.end <= committed }
    }
}
