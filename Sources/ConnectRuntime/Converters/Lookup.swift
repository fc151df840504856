import ConnectAPI

/// Thrown by a converter or a transform that must ask somebody outside before it can go on: a schema registry, a database. They never wait
/// themselves: who calls them resolves the lookup and calls again; every answer is remembered, so that this ends.
package struct Lookup: Error {
    /// Asks, and remembers the answer. Throws `.retry` errors while nobody answers, and `.stop` errors.
    package let resolve: @Sendable () async throws -> Void

    /// Runs `body` until it needs nothing more. `resolve`: how a lookup is waited for.
    package static func resolving<T>(
        isolation: isolated (any Actor)? = #isolation, by resolve: (Lookup) async throws -> Void = { try await $0.resolve() },
        _ body: () throws -> T
    ) async throws -> T {
        while true {
            do { return try body() } catch let lookup as Lookup { try await resolve(lookup) }
        }
    }
}
