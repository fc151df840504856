import Testing

@testable import ConnectorsPostgres

@Suite struct LagClockTests {
    @Test func idleIsNotBehindHoweverOldTheLastCommit() {
        var clock = LagClock()
        #expect(clock.lag(end: 100, now: 1_000_000, taken: 100, lastCommit: 0) == 0)
        #expect(clock.lag(end: 100, now: 9_000_000, taken: 100, lastCommit: 0) == 0)
    }

    @Test func WALOfOthersIsAsOldAsTheEndSeenBefore() {
        var clock = LagClock()
        #expect(clock.lag(end: 100, now: 1_000_000, taken: 100, lastCommit: 0) == 0)
        #expect(clock.lag(end: 500, now: 3_000_000, taken: 100, lastCommit: 0) == 2_000_000)
        #expect(clock.lag(end: 900, now: 5_000_000, taken: 500, lastCommit: 0) == 2_000_000)
        #expect(clock.lag(end: 900, now: 7_000_000, taken: 900, lastCommit: 0) == 0)
    }

    @Test func theLastTransactionTakenTellsBest() {
        var clock = LagClock()
        #expect(clock.lag(end: 100, now: 10_000_000, taken: 90, lastCommit: 9_990_000) == 10_000)
        #expect(clock.lag(end: 200, now: 12_000_000, taken: 90, lastCommit: 9_990_000) == 2_010_000)
        // A clock that runs ahead makes no negative lag.
        #expect(clock.lag(end: 300, now: 12_000_000, taken: 90, lastCommit: 12_000_001) == 0)
    }

    @Test func aLongLagIsRememberedToItsBeginning() {
        var clock = LagClock(), lag: Int64 = 0
        for second in 0..<5_000 as Range<Int64> {
            lag = clock.lag(end: UInt64(second) + 10, now: second * 1_000_000, taken: 5, lastCommit: nil)
        }
        #expect(lag == 4_999_000_000)
    }

    @Test func percentilesAreOfTheLatestFrames() throws {
        var sample = LagSample()
        #expect(sample.summary == nil)
        for value in 1...1000 { sample.record(Double(value)) }
        let summary = try #require(sample.summary)
        #expect(summary.minimum == 489 && summary.maximum == 1000 && summary.average == 744.5)
        #expect(summary.p50 == 744 && summary.p95 == 975 && summary.p99 == 995)
    }
}
