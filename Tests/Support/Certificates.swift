import Foundation

/// Certificates that a CA made for the occasion has signed, as PEM files of a directory: `ca.pem`, and of each name `NAME.pem`, `NAME.key`, and
/// `NAME-keystore.pem` with both. They hold for 127.0.0.1, two days long.
public enum Certificates {
    public static func make(_ subjects: [String: String], in directory: String) throws {
        let ca = directory + "/ca", names = directory + "/names"
        try key(ca, ["-x509", "-days", "2", "-subj", "/CN=test signer", "-out", ca + ".pem"])
        try "subjectAltName=IP:127.0.0.1".write(toFile: names, atomically: true, encoding: .utf8)
        for (name, subject) in subjects {
            let path = "\(directory)/\(name)"
            try key(path, ["-subj", subject, "-out", path + ".csr"])
            try Subprocess.run(
                "openssl",
                [
                    "x509", "-req", "-in", path + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key", "-CAcreateserial", "-days", "2", "-extfile", names,
                    "-out", path + ".pem",
                ])
            let both = try String(contentsOfFile: path + ".key", encoding: .utf8) + String(contentsOfFile: path + ".pem", encoding: .utf8)
            try both.write(toFile: path + "-keystore.pem", atomically: true, encoding: .utf8)
        }
    }

    private static func key(_ path: String, _ rest: [String]) throws {
        try Subprocess.run(
            "openssl", ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path + ".key"] + rest)
    }
}
