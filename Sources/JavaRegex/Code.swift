import CPCRE2
import ConnectAPI

/// A compiled PCRE2 pattern.
///
/// `@unchecked Sendable`: the pointer is set once, before the object is shared; PCRE2 documents compiled code as read-only and safe to use from
/// any number of threads, and each match brings its own match data.
final class Code: @unchecked Sendable {
    private let code: OpaquePointer
    let groupCount: Int
    let namedGroups: [String: Int]

    /// Work one match may do before it counts as runaway: bounds catastrophic backtracking to well under a second.
    private static let matchLimit: UInt32 = 5_000_000

    init(_ pattern: String, caseInsensitive: Bool, original: String) throws {
        var errorCode: Int32 = 0, errorOffset = 0
        let bytes = Array(pattern.utf8)
        let context = pcre2_compile_context_create_8(nil)
        defer { pcre2_compile_context_free_8(context) }
        pcre2_set_newline_8(context, UInt32(PCRE2_NEWLINE_ANY))
        var options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C
        if caseInsensitive { options |= PCRE2_CASELESS }
        guard let compiled = pcre2_compile_8(bytes, bytes.count, options, &errorCode, &errorOffset, context) else {
            throw ConnectorError(
                "regex.invalid", .stop, "Invalid regular expression \"\(original)\": \(Self.message(errorCode)) near index \(errorOffset)",
                hint: "Patterns follow java.util.regex; a literal . or $ is written \\. or \\$")
        }
        code = compiled
        var groups: UInt32 = 0, names: UInt32 = 0, entrySize: UInt32 = 0
        var table: UnsafePointer<UInt8>?
        pcre2_pattern_info_8(compiled, UInt32(PCRE2_INFO_CAPTURECOUNT), &groups)
        pcre2_pattern_info_8(compiled, UInt32(PCRE2_INFO_NAMECOUNT), &names)
        pcre2_pattern_info_8(compiled, UInt32(PCRE2_INFO_NAMEENTRYSIZE), &entrySize)
        pcre2_pattern_info_8(compiled, UInt32(PCRE2_INFO_NAMETABLE), &table)
        groupCount = Int(groups)
        // Each entry: the group number in two bytes, then the name, closed by a zero byte.
        var found: [String: Int] = [:]
        if let table {
            for i in 0..<Int(names) {
                let entry = UnsafeBufferPointer(start: table + i * Int(entrySize), count: Int(entrySize))
                found[String(decoding: entry[2...].prefix { $0 != 0 }, as: UTF8.self)] = Int(entry[0]) << 8 | Int(entry[1])
            }
        }
        namedGroups = found
        // Best effort: without JIT the interpreter runs it.
        pcre2_jit_compile_8(compiled, PCRE2_JIT_COMPLETE)
    }

    deinit { pcre2_code_free_8(code) }

    /// The ranges of all groups of the first match, or nil.
    func match(_ subject: [UInt8], from offset: Int, options: UInt32, pattern: String) throws -> [Range<Int>?]? {
        guard let data = pcre2_match_data_create_from_pattern_8(code, nil), let context = pcre2_match_context_create_8(nil) else {
            throw ConnectorError("regex.memory", .retry, "No memory to match \"\(pattern)\"")
        }
        defer {
            pcre2_match_data_free_8(data)
            pcre2_match_context_free_8(context)
        }
        pcre2_set_match_limit_8(context, Self.matchLimit)
        // The subject comes from a String, so it is UTF-8.
        var count = pcre2_match_8(code, subject, subject.count, offset, options | PCRE2_NO_UTF_CHECK, data, context)
        if count == PCRE2_ERROR_JIT_STACKLIMIT {
            // The compiled code has a small fixed stack; the interpreter's grows.
            count = pcre2_match_8(code, subject, subject.count, offset, options | PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, context)
        }
        if count == PCRE2_ERROR_NOMATCH { return nil }
        guard count > 0 else {
            throw ConnectorError(
                "regex.failed", .reject, "The regular expression \"\(pattern)\" could not be applied: \(Self.message(count))",
                hint: "Nested quantifiers such as (a+)+ take exponential time; simplify the pattern")
        }
        let offsets = pcre2_get_ovector_pointer_8(data)!
        return (0...groupCount).map { group in
            let start = offsets[group * 2], end = offsets[group * 2 + 1]
            // PCRE2_UNSET is the largest size; a \K in a lookahead could put the end first.
            guard group < Int(count), start != Int.max, start >= 0, end >= start, end <= subject.count else { return nil }
            return start..<end
        }
    }

    private static func message(_ code: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let length = pcre2_get_error_message_8(code, &buffer, buffer.count)
        return length >= 0 ? String(decoding: buffer[..<Int(length)], as: UTF8.self) : "error \(code)"
    }
}
