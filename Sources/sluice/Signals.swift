import Glibc

/// SIGTERM and SIGINT as a value: the first asks for an orderly end, the second ends the process at once.
///
/// A handler and a pipe rather than a blocked mask and `sigwait`: the main thread of a Swift program waits with every signal unblocked.
enum Signals {
    private static let pipeEnds: (read: Int32, write: Int32) = {
        var ends: [Int32] = [-1, -1]
        unsafe ends.withUnsafeMutableBufferPointer { ends in _ = unsafe pipe(ends.baseAddress) }
        return (ends[0], ends[1])
    }()

    /// Calls `first` on a thread of its own with the first signal.
    static func wait(_ first: @escaping @Sendable (Int32) -> Void) {
        // Made before the handlers can run, which may do no more than write.
        let ends = pipeEnds
        for number in [SIGTERM, SIGINT] {
            signal(number) { number in
                var byte = UInt8(truncatingIfNeeded: number)
                _ = unsafe write(Signals.pipeEnds.write, &byte, 1)
            }
        }
        var thread = pthread_t()
        let waiter = unsafe Unmanaged.passRetained(Waiter(ends.read, first)).toOpaque()
        unsafe pthread_create(
            &thread, nil,
            { argument in
                unsafe Unmanaged<Waiter>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, waiter)
        pthread_detach(thread)
    }

    private final class Waiter: Sendable {
        private let descriptor: Int32
        private let first: @Sendable (Int32) -> Void

        init(_ descriptor: Int32, _ first: @escaping @Sendable (Int32) -> Void) {
            self.descriptor = descriptor
            self.first = first
        }

        func run() {
            first(next())
            _exit(128 + next())
        }

        private func next() -> Int32 {
            var byte: UInt8 = 0
            while unsafe read(descriptor, &byte, 1) != 1 {}
            return Int32(byte)
        }
    }
}
