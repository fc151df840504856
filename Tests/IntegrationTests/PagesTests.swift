import Foundation
import TestSupport
import Testing

/// What the pages tell people to type is what works.
@Suite(.serialized) struct PagesTests {
    /// Connectors in README and docs, whole JSON each, by the page they are on.
    private func connectors() throws -> [(page: String, json: String)] {
        let found = try Python.run(
            #"""
            import glob, json, re, sys
            root = sys.argv[1]
            pages = [root + '/README.md', *glob.glob(root + '/docs/*.md'), *glob.glob(root + '/examples/**/*.md', recursive=True)]
            for page in sorted(pages):
                text = open(page).read()
                end = 0
                for start in re.finditer(r'\{\s*"(name|connector\.class)"\s*:', text):
                    if start.start() < end:
                        continue
                    value, length = json.JSONDecoder().raw_decode(text[start.start():])
                    end = start.start() + length
                    if 'connector.class' in value or 'connector.class' in value.get('config', {}):
                        print(page[len(root) + 1:] + '\t' + json.dumps(value))
            """#, [Checkout.root])
        return found.split(separator: "\n").map { line in
            let parts = line.split(separator: "\t", maxSplits: 1)
            return (String(parts[0]), String(parts[1]))
        }
    }

    /// A value of the right kind for every variable that connectors ask the environment for.
    private func environment(_ texts: [String]) -> [String: String] {
        let names = Set(texts.flatMap { $0.matches(of: /\$\{env:(\w+)\}/).map { String($0.1) } })
        return Dictionary(
            uniqueKeysWithValues: names.map { name in
                (name, name.hasSuffix("CRON") ? "*/5 * * * *" : name.hasSuffix("URL") || name.hasSuffix("ENDPOINT") ? "http://127.0.0.1:1" : "7")
            })
    }

    @Test func connectorsOnThePagesAreValid() async throws {
        try await withTemporaryDirectory { directory in
            let connectors = try connectors()
            for page in ["README.md", "docs/migration.md", "docs/csv.md", "docs/http.md", "docs/datagen.md", "docs/s3.md", "docs/gcs.md", "docs/snowflake.md"] {
                #expect(connectors.contains { $0.page == page }, "\(page) shows no connector")
            }
            var files: [String] = [], texts: [String] = []
            let key = try Subprocess.run("sh", ["-c", "openssl genpkey -quiet -algorithm RSA -outform DER | base64 -w0"])
            for (i, connector) in connectors.enumerated() {
                files.append("\(directory)/\(i) \(connector.page.replacing("/", with: " ")).json")
                texts.append(connector.json)
                // A secret's file is not here; a key is what the pages have in one.
                try connector.json.replacing(/\$\{file:[^}]*\}/, with: key).write(toFile: files[i], atomically: true, encoding: .utf8)
            }
            let shipped = try Subprocess.run("sh", ["-c", "ls '\(Checkout.root)'/connectors.d/*.json '\(Checkout.root)'/examples/*/connectors/*.json"])
            for path in shipped.split(separator: "\n").map(String.init) {
                files.append(path)
                texts.append(try String(contentsOfFile: path, encoding: .utf8))
            }
            let said = try Subprocess.run(
                "bash", ["-c", "\"$0\" validate \"$@\" 2>&1; echo \"status $?\"", SluiceWorker.binary] + files,
                environment: environment(texts).merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 })
            #expect(said.hasSuffix("status 0\n") && !said.contains(": warning: ") && !said.contains(": error: "), "\(said)")
            #expect(said.split(separator: "\n").filter { $0.hasSuffix("is valid") }.count == files.count)
        }
    }

    /// The migration guide's two connectors, as they stand there, from an empty directory to a bucket that equals the database, with a kill -9 in the middle.
    @Test func theMigrationGuidesConnectorsRun() async throws {
        try await withTemporaryDirectory { directory in
            try FileManager.default.createDirectory(atPath: directory + "/connectors", withIntermediateDirectories: true)
            let guide = try connectors().filter { $0.page == "docs/migration.md" }
            #expect(guide.count == 2)
            for (i, connector) in guide.enumerated() {
                try connector.json.write(toFile: "\(directory)/connectors/\(i).json", atomically: true, encoding: .utf8)
            }
            let common = Checkout.root + "/examples/common"
            let script = """
                set -euo pipefail
                . '\(common)/lib.sh'
                . '\(common)/banking.sh'
                BUCKET=raw GENERATOR=(--customers 5 --accounts 2 --transactions 60)
                begin
                start_postgres
                start_s3
                first_half
                second_half
                "$python" "$root/examples/common/lake.py" listing "$work/lake"
                """
            try script.write(toFile: directory + "/run.sh", atomically: true, encoding: .utf8)
            let output = try Subprocess.run("bash", [directory + "/run.sh"], environment: ["SLUICE_BINARY": SluiceWorker.binary, "WORK": directory + "/work"])
            #expect(output.contains("transactions: ") && output.contains("killed while it read"))
            for table in ["accounts", "customers", "transactions"] { #expect(output.contains("\(table)/date=#-#-#/\(table)_############_#-#.parquet")) }
        }
    }
}
