/// What the files of values are made of, and those of keys and headers where they are stored.
struct FileFormats: Sendable {
    var values: FileFormat
    var keys: FileFormat
    var headers: FileFormat
    var storesKeys = false
    var storesHeaders = false
    /// Shared by all files.
    let layouts = ParquetLayouts()

    func format(of kind: FileNaming.Kind) -> FileFormat {
        switch kind {
        case .value: values
        case .keys: keys
        case .headers: headers
        }
    }
}
