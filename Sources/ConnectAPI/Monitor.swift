import Glibc

/// A value behind a lock that a thread can wait on: what threads of their own sleep on. Not for tasks, which must not block.
// @unchecked: `value` is only touched with `lock` held; `lock` and `wake` are never moved.
package final class Monitor<Value>: @unchecked Sendable {
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var value: Value

    package init(_ value: sending Value) {
        self.value = value
        pthread_mutex_init(lock, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(wake, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(wake)
        pthread_mutex_destroy(lock)
        wake.deallocate()
        lock.deallocate()
    }

    /// Changes the value without waking anybody.
    package func withLock<R>(_ body: (inout Value) throws -> R) rethrows -> R {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return try body(&value)
    }

    /// Changes the value and wakes the thread that waits.
    package func notify<R>(_ body: (inout Value) throws -> R) rethrows -> R {
        defer { pthread_cond_signal(wake) }
        return try withLock(body)
    }

    /// Blocks the thread until `body` gives something.
    package func wait<R>(for body: (inout Value) -> R?) -> R {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while true {
            if let result = body(&value) { return result }
            pthread_cond_wait(wake, lock)
        }
    }

    /// Blocks the thread until `body` is true or the time, in nanoseconds of `monotonicNow`, has come.
    package func wait(until deadline: Int64, for body: (inout Value) -> Bool) {
        var deadline = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while !body(&value), pthread_cond_timedwait(wake, lock, &deadline) == 0 {}
    }
}

/// Nanoseconds of a clock that never goes back.
package var monotonicNow: Int64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
}

/// Starts a thread that runs `body` and ends with it. What the thread uses is moved into the closure.
package func startThread(_ body: @escaping @Sendable () -> Void) {
    final class Start {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let start = Unmanaged.passRetained(Start(body)).toOpaque()
    let failed = pthread_create(
        &thread, nil,
        {
            Unmanaged<Start>.fromOpaque($0!).takeRetainedValue().body(); return nil
        }, start)
    precondition(failed == 0, "no thread: \(failed)")
    pthread_detach(thread)
}
