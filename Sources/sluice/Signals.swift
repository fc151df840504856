import Glibc

/// SIGTERM and SIGINT as a value: the first asks for an orderly end, the second ends the process at once.
enum Signals {
    /// Must be called on the main thread before others exist, which inherit the mask.
    static func block() {
        var set = Self.set
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    private static var set: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
        return set
    }

    private final class Waiter: Sendable {
        let first: @Sendable (Int32) -> Void
        init(_ first: @escaping @Sendable (Int32) -> Void) { self.first = first }
    }

    /// Calls `first` on a thread of its own with the first signal.
    static func wait(_ first: @escaping @Sendable (Int32) -> Void) {
        var thread = pthread_t()
        let waiter = Unmanaged.passRetained(Waiter(first)).toOpaque()
        pthread_create(
            &thread, nil,
            { argument in
                let waiter = Unmanaged<Waiter>.fromOpaque(argument!).takeRetainedValue()
                var set = Signals.set, number: Int32 = 0
                sigwait(&set, &number)
                waiter.first(number)
                sigwait(&set, &number)
                _exit(128 + number)
            }, waiter)
        pthread_detach(thread)
    }
}
