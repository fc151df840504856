/// A fixed offset from UTC, as configurations spell it.
package enum ZoneOffset {
    /// Minutes east of UTC of `UTC`, `Z`, `GMT`, `+02:00` or `-03:30`; nil: it is none of these.
    package static func minutes(_ text: String) -> Int? {
        if ["UTC", "Z", "GMT"].contains(text.uppercased()) { return 0 }
        guard let sign = text.first, sign == "+" || sign == "-" else { return nil }
        let parts = text.dropFirst().split(separator: ":").map { Int($0) }
        guard parts.count == 2, let hours = parts[0], let minutes = parts[1], (0...18).contains(hours), (0..<60).contains(minutes) else { return nil }
        return (hours * 60 + minutes) * (sign == "-" ? -1 : 1)
    }
}
