/// No response came.
package struct TransportError: Error, CustomStringConvertible {
    package let description: String
    /// A name that does not resolve or a refused connection: nobody is there.
    package let isUnreachable: Bool
}
