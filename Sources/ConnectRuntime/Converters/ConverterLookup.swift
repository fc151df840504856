import ConnectAPI

/// Thrown by a converter that must ask somebody outside before it can go on, such as a schema registry. Converters themselves never wait: who calls
/// them resolves the lookup and calls again.
package struct ConverterLookup: Error {
    /// Asks, and remembers the answer. Throws `.retry` errors while nobody answers, and `.stop` errors.
    package let resolve: @Sendable () async throws -> Void

    /// Runs `body` until it needs nothing more. `resolve`: how a lookup is waited for.
    package static func resolving<T>(
        isolation: isolated (any Actor)? = #isolation, by resolve: (ConverterLookup) async throws -> Void = { try await $0.resolve() },
        _ body: () throws -> T
    ) async throws -> T {
        while true {
            do { return try body() } catch let lookup as ConverterLookup { try await resolve(lookup) }
        }
    }
}
