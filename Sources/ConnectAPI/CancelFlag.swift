import Synchronization

/// Set once, read by blocking code that can end early.
package final class CancelFlag: Sendable {
    private let value = Atomic<Bool>(false)
    package init() {}
    package var isCancelled: Bool { value.load(ordering: .relaxed) }
    package func cancel() { value.store(true, ordering: .relaxed) }
}
