import Foundation
import JSON
import TestSupport
import Testing

@testable import ConnectAPI
@testable import ConnectorsHTTP

/// JSON pointers, links, dates, templates: the small languages of the HTTP source.
@Suite struct HTTPTextTests {
    @Test func anyBytesArePointerLinkOrNot() {
        var random = SeededGenerator(seed: .random(in: 0...UInt64.max))
        print("http texts: SLUICE_SEED=\(random.seed)")
        let alphabet = Array("0123456789*/-,?@ monfeb~<>;=\"relnxt/:.GMT+${offset.x}é")
        for _ in 0..<20_000 {
            let text = String((0..<Int.random(in: 0...30, using: &random)).map { _ in alphabet.randomElement(using: &random)! })
            _ = JSONPointer(text)?.value(in: [["a": 1], 2])
            _ = Paging.nextLink(text)
            _ = RetryAfter.wait(text, now: 0)
            _ = URLText.resolve(text, from: "http://h/a/b?c")
            #expect(!URLText.shown(text).contains("?"))
            _ = try? RequestTemplate(text, "k")
        }
    }

    @Test func pointersAreThoseOfRFC6901() throws {
        let document = try JSONValue.parse(#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"m~n":8," ":7}"#)
        let expected: [(String, String?)] = [
            ("", document.compactText), ("/foo", #"["bar","baz"]"#), ("/foo/0", "\"bar\""), ("/a~1b", "1"), ("/c%d", "2"), ("/m~0n", "8"), ("/ ", "7"),
            ("/foo/2", nil), ("/foo/01", nil), ("/foo/-", nil), ("/x/y", nil), ("foo/1", "\"baz\""), ("/", document.compactText),
        ]
        for (pointer, value) in expected { #expect(try #require(JSONPointer(pointer)).value(in: document)?.compactText == value, "\(pointer)") }
        #expect(JSONPointer("/a~2") == nil && JSONPointer("/a~") == nil)
    }

    @Test func linksAndWaits() {
        #expect(Paging.nextLink("<http://h/1>; rel=\"prev\", <http://h/3>; rel=\"next\"") == "http://h/3")
        #expect(Paging.nextLink("<http://h/3?a=1,2>;rel=next") == "http://h/3?a=1,2" && Paging.nextLink("<http://h/1>; rel=\"last\"") == nil)
        #expect(RetryAfter.wait("120", now: 0) == .seconds(120) && RetryAfter.wait("Thu, 01 Jan 1970 00:01:00 GMT", now: 10_000) == .milliseconds(50_000))
        #expect(RetryAfter.wait("-1", now: 0) == nil && RetryAfter.wait("soon", now: 0) == nil && RetryAfter.wait("99999999", now: 0) == .seconds(3600))
        #expect(URLText.shown("https://user:pw@h:1/p?apikey=x#f") == "https://h:1/p")
        #expect(URLText.resolve("c", from: "http://h/a/b?x=/y") == "http://h/a/c" && URLText.resolve("/c", from: "http://h/a") == "http://h/c")
        #expect(URLText.resolve("?p=2", from: "http://h/a?p=1") == "http://h/a?p=2" && URLText.resolve("c", from: "http://h") == "http://h/c")
    }
}
