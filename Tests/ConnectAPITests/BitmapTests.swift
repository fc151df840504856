import ConnectAPI
import Testing

/// A bitmap is an array of booleans.
@Suite struct BitmapTests {
    @Test func everyOperationAgreesWithAnArrayOfBooleans() {
        var make = RandomColumns()
        for _ in 0..<500 {
            let bits = (0..<make.int(0...200)).map { _ in make.chance(2) }, other = bits.map { _ in make.chance(2) }
            let map = Bitmap(bits)
            func array(_ map: Bitmap) -> [Bool] { (0..<map.count).map { map[$0] } }
            #expect(array(map) == bits && map.setCount == bits.count { $0 } && map.setPositions == bits.indices.filter { bits[$0] })
            #expect(map.allSet == bits.allSatisfy { $0 } && map.noneSet == !bits.contains(true))
            #expect(array(!map) == bits.map { !$0 } && array(map & Bitmap(other)) == zip(bits, other).map { $0 && $1 })
            #expect(array(map | Bitmap(other)) == zip(bits, other).map { $0 || $1 })
            let low = make.int(0...bits.count), high = make.int(low...bits.count)
            #expect(array(map.slice(low..<high)) == Array(bits[low..<high]) && map.slice(low..<high) == Bitmap(bits[low..<high]))
            var joined = map
            joined.append(contentsOf: Bitmap(other))
            joined.append(repeating: true, count: 3)
            #expect(array(joined) == bits + other + [true, true, true])
            let picks = bits.isEmpty ? [] : (0..<20).map { _ in make.int(0...bits.count - 1) }
            #expect(array(map.select(picks)) == picks.map { bits[$0] })
            if !bits.isEmpty {
                var changed = map, expected = bits
                let at = make.int(0...bits.count - 1)
                changed[at].toggle()
                expected[at].toggle()
                #expect(array(changed) == expected && (changed == map) == false)
            }
        }
    }

    @Test func bitsPastTheEndAreCleared() {
        #expect(Bitmap(words: [.max, .max], count: 65) == Bitmap(repeating: true, count: 65))
        #expect(Bitmap(repeating: true, count: 65).words[1] == 1 && Bitmap(repeating: true, count: 0).words.isEmpty)
    }
}
