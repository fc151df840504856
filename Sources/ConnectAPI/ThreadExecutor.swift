import Glibc

/// One thread that runs jobs: the executor of an actor around a blocking C client, so that the cooperative pool never blocks.
///
///     actor Connection {
///         private let thread = ThreadExecutor("pg-reader")
///         nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
///     }
///
/// Call `stop()` when the actor is done with; the thread ends once its queue is empty.
// @unchecked: `queue` and `stopping` are only touched with `lock` held; `lock` and `wake` are never moved.
public final class ThreadExecutor: SerialExecutor, TaskExecutor, @unchecked Sendable {
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var queue: [UnownedJob] = []
    private var stopping = false
    private let name: String

    public init(_ name: String) {
        self.name = name
        pthread_mutex_init(lock, nil)
        pthread_cond_init(wake, nil)
        var thread = pthread_t()
        // The thread keeps the executor alive until it ends.
        let me = Unmanaged.passRetained(self).toOpaque()
        let failed = pthread_create(
            &thread, nil,
            {
                Unmanaged<ThreadExecutor>.fromOpaque($0!).takeRetainedValue().run(); return nil
            }, me)
        precondition(failed == 0, "no thread for \(name): \(failed)")
        pthread_detach(thread)
    }

    deinit {
        pthread_cond_destroy(wake)
        pthread_mutex_destroy(lock)
        wake.deallocate()
        lock.deallocate()
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        pthread_mutex_lock(lock)
        queue.append(job)
        pthread_mutex_unlock(lock)
        pthread_cond_signal(wake)
    }

    /// Lets the thread end after the jobs already queued. A job enqueued later would never run: stop only when nothing uses the executor.
    public func stop() {
        pthread_mutex_lock(lock)
        stopping = true
        pthread_mutex_unlock(lock)
        pthread_cond_signal(wake)
    }

    private func run() {
        var jobs: [UnownedJob] = []
        while true {
            pthread_mutex_lock(lock)
            while queue.isEmpty && !stopping { pthread_cond_wait(wake, lock) }
            if queue.isEmpty {
                pthread_mutex_unlock(lock)
                return
            }
            swap(&queue, &jobs)
            pthread_mutex_unlock(lock)
            for job in jobs { job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor()) }
            jobs.removeAll(keepingCapacity: true)
        }
    }
}
