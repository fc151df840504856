public import ConnectAPI

/// Rows of an HTTP API, polled on an interval or a cron schedule.
///
///     schedule ─▶ request (offsets filled in) ─▶ HTTPCaller ─▶ pages ─▶ rows ─▶ columns ─▶ emit at {url: {polled_at, etag, offsets …}}
///
/// A poll is one frame: its records and the offset become durable together (Invariant 2). `ETag` and `Last-Modified` are sent back, and an answer
/// of 304 has no rows. Takes the keys of `com.github.castorm.kafka.connect.http.HttpSourceConnector`.
public struct HTTPSource: SourceConnector {
    public typealias Configuration = HTTPSourceConfiguration

    public static let info = ConnectorInfo(
        className: "com.github.castorm.kafka.connect.http.HttpSourceConnector", aliases: ["io.sluice.connect.http.HttpSourceConnector"], version: "0.8.11",
        documentation: "Rows of a JSON or CSV API, polled.")

    private let configuration: HTTPSourceConfiguration
    private let settings: HTTPSourceSettings

    public init(_ configuration: Configuration) throws {
        self.configuration = configuration
        do {
            settings = try HTTPSourceSettings(configuration)
        } catch {
            throw ConnectorError("http.bad_configuration", .stop, "\(error.key): \(error.message)")
        }
    }

    /// One API is one task.
    public func taskConfigurations(maxTasks: Int) async throws -> [[String: String]] { [[:]] }

    /// What offsets call the API: its URL without query.
    private var endpoint: String { URLText.shown(configuration.url) }

    public func makeTask(
        _ configuration: [String: String], resumingAt positions: [SourcePosition], _ context: TaskContext
    ) async throws -> sending HTTPSourceTask {
        var progress = PollProgress(initial: settings.initialOffsets)
        if let position = positions.first(where: { $0.partition[PollProgress.partitionKey]?.stringValue == endpoint }) { progress.resume(position.offset) }
        return HTTPSourceTask(self.configuration, settings, endpoint, progress, context)
    }

    public static var managesOffsetChanges: Bool { true }

    public func validateOffsets(_ positions: [SourcePosition]) throws {
        for position in positions where position.partition[PollProgress.partitionKey]?.stringValue != endpoint {
            throw ConnectorError("http.bad_offset", .stop, "The partition must be {\"url\": \"\(endpoint)\"}")
        }
    }
}
