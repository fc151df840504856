import ConnectAPI

/// Values of a leaf without gaps, borrowed for a call: numbers side by side (a boolean takes a byte), or byte strings by their places.
enum DenseValues {
    case fixed(UnsafeRawPointer)
    case bytes(UnsafePointer<UInt8>, starts: UnsafePointer<Int32>, ends: UnsafePointer<Int32>)

    func pointer<T>(_: T.Type) -> UnsafePointer<T> {
        guard case .fixed(let base) = self else { preconditionFailure("byte strings where numbers were expected") }
        return base.assumingMemoryBound(to: T.self)
    }
}

/// The encoding of one page's values.
struct EncodedValues {
    var encoding: Int
    var bounds: Bounds?
}

/// Collects the values of one column chunk and encodes them page by page.
///
///     trial ──first page: the dictionary makes it smaller──▶ dictionary ──dictionary full──▶ plain
///       └───────────────────it does not: written plain───────────────────────────────────────▶ plain
///
/// Every decision depends on the values alone, so that the same rows give the same bytes however they were handed over.
protocol ValueEncoder: AnyObject {
    /// What these values take in PLAIN encoding.
    func plainBytes(_ values: DenseValues, _ range: Range<Int>) -> Int
    /// How many of the values end a page: the count including the one by which `pageCost` reaches `limit`, or all.
    func fitting(_ values: DenseValues, _ range: Range<Int>, limit: Int) -> Int
    /// Takes values; stops after the one that fills the dictionary unless `unbounded`. Returns how many it took.
    func append(_ values: DenseValues, _ range: Range<Int>, unbounded: Bool) -> Int
    /// What the open page takes: in PLAIN encoding, or four bytes a value once the dictionary has proved itself.
    var pageCost: Int { get }
    /// The dictionary has reached its size: the page must end with this row.
    var dictionaryIsFull: Bool { get }
    /// Appends the open page's values to `page` and starts a new one.
    func finishPage(into page: inout ByteBuffer, _ scratch: EncoderScratch) -> EncodedValues
    /// The body of the dictionary page, if one is needed.
    func withDictionary(_ body: (UnsafeRawBufferPointer, _ count: Int) throws(ConnectorError) -> Void) throws(ConnectorError)
    /// Forgets everything, for the next row group.
    func reset()
    var memory: Int { get }
    /// Bytes of the dictionary page as it stands, before compression.
    var dictionaryBytes: Int { get }
}

/// How far a chunk's dictionary has come.
enum DictionaryPhase { case trial, dictionary, plain }

/// What encoders need to know of the file's options.
struct EncoderLimits {
    var dictionary: Bool
    var dictionaryBytes: Int
    var bounds: Bool

    var firstPhase: DictionaryPhase { dictionary ? .trial : .plain }
}

/// Whether a first page is smaller with a dictionary than without.
func dictionaryPays(plain: Int, dictionary: Int, values: Int, distinct: Int) -> Bool {
    dictionary + (values * indexWidth(distinct) + 7) / 8 < plain
}

/// Bits an index takes. One at least, since some readers stumble over none.
func indexWidth(_ distinct: Int) -> Int { max(1, HybridEncoder.width(of: distinct - 1)) }

func appendIndexes(_ indexes: borrowing ByteBuffer, distinct: Int, to page: inout ByteBuffer) {
    let width = indexWidth(distinct)
    page.append(UInt8(width))
    HybridEncoder.append(indexes.bytes.bindMemory(to: UInt32.self), width: width, to: &page)
}
