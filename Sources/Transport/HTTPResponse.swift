/// One answer; a status of any class is an answer.
package struct HTTPResponse: Sendable {
    package var status: Int
    /// Names in lower case; values of a repeated header are joined by a comma.
    package var headers: [String: String]
    package var body: [UInt8]

    package init(status: Int, headers: [String: String], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}
