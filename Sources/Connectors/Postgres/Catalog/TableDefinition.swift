/// What PostgreSQL's catalog says of a type (`pg_type`, `pg_enum`).
struct TypeDefinition: Sendable, Hashable {
    enum Kind: Character, Sendable { case base = "b", composite = "c", domain = "d", `enum` = "e", pseudo = "p", range = "r", multirange = "m" }
    let oid: UInt32
    /// `typname`: `int4`, `_int4` for its array, `mood`.
    let name: String
    let kind: Kind
    /// The element of an array type, else 0.
    let elementOID: UInt32
    /// The type a domain is over, and its modifier, else 0 and -1.
    let baseOID: UInt32
    let baseModifier: Int32
    /// An enum's labels in `enumsortorder`.
    let labels: [String]
}

struct ColumnDefinition: Sendable, Hashable {
    let name: String
    let typeOID: UInt32
    /// `atttypmod`; -1: none.
    let typeModifier: Int32
    let isNotNull: Bool
    /// `pg_get_expr` of the default, such as `'abc'::text` or `nextval('s'::regclass)`.
    let defaultExpression: String?
    /// A generated STORED column: absent from pgoutput before PostgreSQL 18.
    let isGenerated: Bool
    /// COMMENT ON COLUMN.
    var comment: String?
}

/// What the catalog says of a table; a Relation message of the stream is laid over it (names, order and types are the message's).
struct TableDefinition: Sendable, Hashable {
    let oid: UInt32
    let schema: String
    let name: String
    let columns: [ColumnDefinition]
    /// Positions in `columns` of the primary key, else of the first usable unique index, in key order; empty: no key.
    let keyColumns: [Int]
    /// `relreplident`: d, n, f, i.
    let replicaIdentity: Character
    /// `relkind`: r, p.
    let kind: Character
}
