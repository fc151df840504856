import ConnectAPI
import Testing

@Suite struct SchemaTests {
    @Test func schemasAreEqualWhenEveryPartIs() {
        func make(
            _ change: (inout [String: String]) -> Void = { _ in }, fields: [Schema.Field] = [.init("a", Schema(.int32))],
            optional: Bool = false
        ) -> Schema {
            var parts = ["name": "n", "doc": "d", "key": "k", "value": "v"]
            change(&parts)
            return Schema(
                .struct, optional: optional, name: parts["name"], version: 1, doc: parts["doc"],
                parameters: [.init(parts["key"]!, parts["value"]!)],
                fields: fields)
        }
        #expect(make() == make() && make().hashValue == make().hashValue)
        for other in [
            make { $0["name"] = "x" }, make { $0["doc"] = "x" }, make { $0["key"] = "x" }, make { $0["value"] = "x" },
            make(fields: [.init("b", Schema(.int32))]), make(fields: [.init("a", Schema(.int64))]), make(optional: true), make(fields: []),
        ] { #expect(other != make()) }
        #expect(Schema(.int32, default: 1) != Schema(.int32, default: 2) && Schema(.int32, default: 1) != Schema(.int32))
    }

    @Test func membersAreFoundByName() {
        let schema = Schema.struct([.init("a", Schema(.int32)), .init("b", Schema(.string))])
        #expect(schema.index(of: "b") == 1 && schema.index(of: "c") == nil && schema.parameter("x") == nil)
    }

    @Test func copiesDifferInWhatIsGiven() {
        let schema = Schema(.int32, optional: false, name: "n", version: 2, default: 5)
        #expect(schema.with(optional: true) == Schema(.int32, optional: true, name: "n", version: 2, default: 5))
        #expect(schema.with(name: .some(nil), default: .some(nil)) == Schema(.int32, version: 2))
    }
}
