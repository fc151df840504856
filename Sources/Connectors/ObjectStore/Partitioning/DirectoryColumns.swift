/// The columns that readers take from directories: `year` of `year=2026/`. A file that has one of them too is refused by Athena and BigQuery.
enum DirectoryColumns {
    /// In lower case, since readers do not tell columns apart by case.
    static func names(_ path: String) -> Set<String> {
        Set(path.split(separator: "/").compactMap { part in part.firstIndex(of: "=").map { part[..<$0].lowercased() } }.filter { !$0.isEmpty })
    }
}
