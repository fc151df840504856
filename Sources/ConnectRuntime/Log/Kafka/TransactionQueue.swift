import ConnectAPI
import Kafka
import Synchronization

/// What is on its way into a transaction.
final class TransactionQueue: Sendable {
    enum Work: Sendable {
        case frame(Frame)
        case staged(Frame, unit: String)
        case published(unit: String, SourcePosition)
    }
    struct Job: Sendable {
        let work: Work
        let answer = PendingAppend()

        var frame: Frame? { if case .frame(let frame) = work { frame } else { nil } }
    }
    private struct State {
        var jobs: [Job] = []
        var failure: (any Error)?
        var client: KafkaProducer?
    }
    private let state = Mutex(State())
    let wakes: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation

    init() { (wakes, wakeUp) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    /// Why nothing more is taken, if so.
    var failure: (any Error)? { state.withLock { $0.failure } }

    func attach(_ client: KafkaProducer) { state.withLock { $0.client = client } }
    func wake() { wakeUp.yield() }
    func finish() { wakeUp.finish() }

    func append(_ work: Work) -> PendingAppend {
        let job = Job(work: work)
        let failure = state.withLock { state -> (any Error)? in
            if state.failure == nil { state.jobs.append(job) }
            return state.failure
        }
        if let failure { job.answer.resolve(.failure(failure)) } else { wake() }
        return job.answer
    }

    /// The first failure is everybody's from then on; what is under way is given up.
    func fail(_ error: any Error) {
        let (jobs, client) = state.withLock { state in
            if state.failure == nil { state.failure = error }
            defer { state.jobs = [] }
            return (state.jobs, state.client)
        }
        for job in jobs { job.answer.resolve(.failure(error)) }
        client?.abandon()
        finish()
    }

    /// The frames that come next, at most `limit`.
    func takeFrames(_ limit: Int) -> [Job] {
        state.withLock { state in
            let taken = Array(state.jobs.prefix(limit).prefix { $0.frame != nil })
            state.jobs.removeFirst(taken.count)
            return taken
        }
    }

    func takeOne() -> Job? { state.withLock { $0.jobs.isEmpty ? nil : $0.jobs.removeFirst() } }
}
