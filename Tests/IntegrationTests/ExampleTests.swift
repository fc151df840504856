import Foundation
import TestSupport
import Testing

/// The examples, each from an empty directory to its final listing.
@Suite(.serialized) struct ExampleTests {
    @Test(arguments: ["banking-s3", "banking-minio-fr", "banking-snowflake", "json-lake-snowpipe", "finance-gcs"]) func runsToItsListing(_ name: String)
        async throws
    {
        try await withTemporaryDirectory { directory in
            let output = try Subprocess.run(
                Checkout.root + "/examples/\(name)/run.sh", [], environment: ["SLUICE_BINARY": SluiceWorker.binary, "WORK": directory + "/work"])
            print(output)
            #expect(output.contains("the objects are those of expected.txt"))
        }
    }

    /// Compose itself reads every file; what it lets pass is ours to ask: pinned images, files that exist, no secret.
    @Test func composeFilesAreSound() throws {
        try Python.run(
            """
            import glob, os, re, subprocess, sys, tempfile
            import yaml
            root = sys.argv[1]
            files = glob.glob(root + '/examples/*/docker-compose.yml') + [root + '/docker-compose.yml']
            assert len(files) == 6, files
            def complaint(path, directory):
                # What people must set is set, as a path may be.
                needed = {name: '/set' for name in re.findall(r'\\$\\{(\\w+):\\?', open(path).read())}
                r = subprocess.run(['docker-compose', '--project-directory', directory, '-f', path, 'config', '-q'], env={**os.environ, **needed}, capture_output=True, text=True)
                return r.stderr if r.returncode else ''
            def broken(path, text, change):
                with tempfile.NamedTemporaryFile('w', suffix='.yml') as file:
                    change(compose := yaml.safe_load(text))
                    yaml.safe_dump(compose, file)
                    file.flush()
                    return complaint(file.name, os.path.dirname(path))
            for path in files:
                text = open(path).read()
                assert complaint(path, os.path.dirname(path)) == '', f'{path}: {complaint(path, os.path.dirname(path))}'
                compose = yaml.safe_load(text)
                first = next(iter(compose['services']))
                # That Compose would have said so.
                assert 'nowhere' in broken(path, text, lambda c: c['services'][first].update(depends_on=['nowhere']))
                assert 'nowhere' in broken(path, text, lambda c: c['services'][first].update(volumes=['nowhere:/data']))
                assert 'enviroment' in broken(path, text, lambda c: c['services'][first].update(enviroment={}))
                for name, service in compose['services'].items():
                    assert ('image' in service) != ('build' in service), f'{path}: {name}'
                    if 'image' in service:
                        tag = service['image'].rsplit(':', 1)
                        assert len(tag) == 2 and tag[1] != 'latest', f'{path}: {name} is not pinned'
                    for volume in service.get('volumes', []):
                        source = volume.split(':')[0]
                        if source.startswith('.'):
                            assert os.path.exists(os.path.join(os.path.dirname(path), source)), f'{path}: {source} is not there'
                    for key, value in (service.get('environment') or {}).items():
                        if re.search('PASSWORD|SECRET|_KEY', key):
                            assert str(value).startswith('${'), f'{path}: {key} is written out'
            """, [Checkout.root])
    }
}
