import ConnectAPI
import JavaRegex
import TestSupport
import Testing

@Suite struct JavaPatternTests {
    @Test func matchesTakesTheWholeText() throws {
        #expect(try JavaPattern("public\\.orders").matches("public.orders"))
        #expect(try !JavaPattern("public\\.orders").matches("public.orders2"))
        #expect(try JavaPattern("a|ab").matches("ab"))
        #expect(try !JavaPattern("b").matches("abc") && JavaPattern("b").find("abc"))
        #expect(try JavaPattern("").matches(""))
    }

    @Test func ignoringCaseIsAnOption() throws {
        #expect(try JavaPattern("PUBLIC.Orders", caseInsensitive: true).matches("public.orders"))
        #expect(try !JavaPattern("PUBLIC.Orders").matches("public.orders"))
        #expect(try JavaPattern("(?i)PUBLIC").matches("public") && JavaPattern("(?iu)PUBLIC").matches("public"))
    }

    /// What `"in".replaceAll(pattern, replacement)` gives in Java 17.
    @Test(arguments: [
        ("(.*)", "x-$1", "topic", "x-topicx-"), ("(\\w+)\\.(\\w+)", "$2.$1", "a.b c.d", "b.a d.c"), ("a*", "-", "baac", "-b--c-"),
        ("(?<schema>[^.]+)\\.(?<table>.+)", "${table}@${schema}", "public.t", "t@public"), ("(a)(b)?", "[$2]", "ab a", "[b] []"),
        ("(a)", "$10", "a", "a0"), ("a", "\\$1", "a", "$1"), ("a", "\\\\", "a", "\\"), ("ü", "ue", "grün", "gruen"),
        ("", "-", "äb", "-ä-b-"), ("\\u0061", "x", "a", "x"), ("\\Qa.b\\E", "x", "a.b", "x"), ("[a-c[x-z]]+", "!", "axbq", "!q"),
        ("[a-z&&[^b]]+", "!", "abc", "!b!"), ("\\p{Alpha}+", "w", "ab1", "w1"), ("\\p{Lu}", "U", "aÄ", "aU"),
        ("[\\p{Digit}_]+", "", "a1_b", "ab"),
        ("(?=b)", "^", "abab", "a^ba^b"), ("\\d", "n", "1٣", "n٣"), ("(a+)+?b", "x", "aab", "x"), ("\\x41|\\0102", "x", "AB", "xx"),
    ])
    func replaceAllIsJavas(_ pattern: String, _ replacement: String, _ input: String, _ expected: String) throws {
        #expect(try JavaPattern(pattern).replaceAll(input, replacement) == expected)
    }

    @Test func replaceFirstStopsAfterOne() throws {
        #expect(try JavaPattern("a").replaceFirst("banana", "o") == "bonana")
        #expect(try JavaPattern("x").replaceFirst("banana", "o") == "banana")
    }

    @Test(arguments: ["(", "[a", "a{2", "*", "(?<n", "\\", "\\u12", "[a&&b]", "\\p{InGreek}"].filter { $0 != "a{2" })
    func aBadPatternIsRefusedInWords(_ pattern: String) {
        let error = #expect(throws: ConnectorError.self) { try JavaPattern(pattern) }
        #expect(error?.code.hasPrefix("regex.") == true)
    }

    @Test(arguments: [
        ("$", "Illegal group reference: group index is missing"), ("$x", "Illegal group reference"), ("$2", "No group 2"),
        ("\\", "character to be escaped is missing"),
        ("${n", "named capturing group is missing trailing '}'"), ("${n}", "No group with name {n}"),
    ])
    func aBadReplacementIsRefusedInJavasWords(_ replacement: String, _ text: String) {
        let error = #expect(throws: ConnectorError.self) { try JavaPattern("(a)").replaceAll("a", replacement) }
        #expect(error?.message.contains(text) == true)
    }

    @Test func runawayPatternsEndWithAnError() throws {
        let pattern = try JavaPattern("^(?:a|aa|aaa)+$")
        #expect(throws: ConnectorError.self) { try pattern.find(String(repeating: "a", count: 60) + "!") }
    }

    @Test func longTextsAreMatched() throws {
        #expect(try JavaPattern("(a|b)*c").matches(String(repeating: "ab", count: 50_000) + "c"))
    }

    @Test func groupsAreReadable() throws {
        let match = try #require(try JavaPattern("(?<a>x)(y)?").wholeMatch("x"))
        #expect(match.group("a") == "x" && match.group(2) == nil && match.group(0) == "x" && match.group(7) == nil)
    }

    @Test func randomPatternsNeverTrap() {
        var random = SeededGenerator.printed()
        let alphabet = Array("()[]{}\\pPuQEx0129aAz^$*+?|&.-<>:!=,üd".unicodeScalars)
        for _ in 0..<5000 {
            var text = ""
            for _ in 0..<Int.random(in: 0...12, using: &random) { text.unicodeScalars.append(alphabet.randomElement(using: &random)!) }
            if let pattern = try? JavaPattern(text) {
                _ = try? pattern.replaceAll("aAz019ü-&", "$0$1")
            }
        }
    }
}
