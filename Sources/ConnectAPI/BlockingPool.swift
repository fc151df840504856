import Glibc
import Synchronization

/// A few threads for calls that block (requests, fsync), so that the cooperative pool never does. Threads start when first needed and end with
/// `stop()` after the jobs already queued.
// @unchecked: everything mutable is touched with `lock` held; `lock` and `wake` are never moved.
package final class BlockingPool: @unchecked Sendable {
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let limit: Int
    private var jobs: [@Sendable () -> Void] = []
    private var head = 0
    private var threads = 0
    private var idle = 0
    private var stopping = false

    package init(threads: Int) {
        limit = threads
        pthread_mutex_init(lock, nil)
        pthread_cond_init(wake, nil)
    }

    deinit {
        pthread_cond_destroy(wake)
        pthread_mutex_destroy(lock)
        wake.deallocate()
        lock.deallocate()
    }

    /// Runs `body` on one of the threads. `body` is given a flag that is set when the caller is cancelled.
    package func run<T: Sendable>(_ body: @escaping @Sendable (CancelFlag) throws -> T) async throws -> T {
        let flag = CancelFlag()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                enqueue {
                    if flag.isCancelled {
                        continuation.resume(throwing: CancellationError())
                    } else {
                        continuation.resume(with: Result { try body(flag) })
                    }
                }
            }
        } onCancel: {
            flag.cancel()
        }
    }

    private func enqueue(_ job: @escaping @Sendable () -> Void) {
        pthread_mutex_lock(lock)
        jobs.append(job)
        let start = jobs.count - head > idle && threads < limit
        if start { threads += 1 }
        pthread_mutex_unlock(lock)
        if start { startThread() } else { pthread_cond_signal(wake) }
    }

    private func startThread() {
        var thread = pthread_t()
        // The thread keeps the pool alive until it ends.
        let me = Unmanaged.passRetained(self).toOpaque()
        let failed = pthread_create(
            &thread, nil,
            {
                Unmanaged<BlockingPool>.fromOpaque($0!).takeRetainedValue().work(); return nil
            }, me)
        precondition(failed == 0, "no thread for uploads: \(failed)")
        pthread_detach(thread)
    }

    /// Lets the threads end after the jobs already queued.
    package func stop() {
        pthread_mutex_lock(lock)
        stopping = true
        pthread_mutex_unlock(lock)
        pthread_cond_broadcast(wake)
    }

    private func work() {
        pthread_mutex_lock(lock)
        while true {
            while head == jobs.count, !stopping {
                idle += 1
                pthread_cond_wait(wake, lock)
                idle -= 1
            }
            guard head < jobs.count else { break }
            let job = jobs[head]
            head += 1
            if head == jobs.count {
                jobs.removeAll(keepingCapacity: true)
                head = 0
            }
            pthread_mutex_unlock(lock)
            job()
            pthread_mutex_lock(lock)
        }
        threads -= 1
        pthread_mutex_unlock(lock)
    }
}
