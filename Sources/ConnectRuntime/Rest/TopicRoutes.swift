import ConnectAPI
import JSON

/// `/sluice/v1/topics`: the topics of the log and their records. Not part of Kafka Connect, hence the prefix.
struct TopicRoutes: Sendable {
    let herder: any Herder

    var routes: [Router.Route] {
        [
            Router.Route("GET", "/sluice/v1/topics") { _ in try await list() }
        ]
    }

    private func list() async throws -> HTTPResponse {
        let topics = try await herder.log.topics()
        return .json(
            200,
            .array(
                topics.sorted { $0.key < $1.key }.map { name, ranges in
                    .object([
                        ("topic", .string(name)),
                        (
                            "partitions",
                            .array(
                                ranges.map {
                                    .object([("partition", .integer($0.partition)), ("start", .integer($0.start)), ("end", .integer($0.end))])
                                })
                        ),
                    ])
                }))
    }
}
