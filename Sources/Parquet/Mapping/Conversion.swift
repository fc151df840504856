/// How the values of a Connect field become those of a Parquet leaf.
enum Conversion: Sendable, Hashable {
    /// As they lie in memory.
    case direct
    /// INT64 times this factor: milliseconds to microseconds.
    case multiplied(by: Int64)
    /// INT64 divided by this, rounded down: nanoseconds to microseconds.
    case divided(by: Int64)
    /// INT64 of so many units a second to ISO text without a zone, or with `Z`.
    case timestampText(unitsPerSecond: Int64, utc: Bool)
    /// ZonedTimestamp, from text or microseconds, to microseconds.
    case zonedMicros
    /// ZonedTimestamp or Uuid, from whatever storage, to its text.
    case text
    /// Uuid, from text or bytes, to 16 bytes.
    case uuidBytes
    case decimal(DecimalTarget)
    /// VariableScaleDecimal, a struct of a scale and unscaled bytes.
    case variableScaleText
    case variableScaleDouble
    /// A geometry, a struct of its WKB and SRID, to the bytes or to text.
    case geometryBytes
    case geometryText
}

/// Where the values of a Decimal go.
struct DecimalTarget: Sendable, Hashable {
    enum Form: Sendable, Hashable { case int32, int64, fixed(Int), text }

    var form: Form
    /// Digits allowed.
    var precision: Int
    /// Of the schema; Parquet has no negative scales, so values of such are multiplied out.
    var scale: Int
}
