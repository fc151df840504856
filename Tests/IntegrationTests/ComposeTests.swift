import Foundation
import TestSupport
import Testing

/// Every compose file of the tree and of its pages, read by Compose itself as `docker compose config` does; what it lets pass is ours to ask.
@Suite struct ComposeTests {
    @Test func composeFilesAreSound() throws {
        try withCheckedScript(Self.reader + Self.files)
    }

    /// What the check must not let pass, it does not let pass.
    @Test func unsoundComposeFilesAreSeen() throws {
        try withCheckedScript(Self.reader + Self.sabotage)
    }

    private func withCheckedScript(_ script: String) throws {
        #expect(try Python.run(script, [Checkout.root]).hasSuffix("done\n"))
    }

    private static let reader = #"""
        import glob, json, os, re, subprocess, sys, tempfile
        import yaml
        root = sys.argv[1]

        def texts():
            """Name, directory and text of every compose file; those of pages lie in a directory that has what they build."""
            for path in sorted(glob.glob(root + '/*compose*.y*ml') + glob.glob(root + '/*/**/*compose*.y*ml', recursive=True)):
                if '/.' not in path[len(root):]:
                    yield path[len(root) + 1:], os.path.dirname(path), open(path).read()
            for page in sorted(glob.glob(root + '/*.md') + glob.glob(root + '/docs/*.md') + glob.glob(root + '/examples/**/*.md', recursive=True)):
                for i, text in enumerate(re.findall(r'^```ya?ml\n((?:.|\n)*?)^```$', open(page).read(), re.M)):
                    yield f'{page[len(root) + 1:]}, block {i + 1}', None, text

        def complaints(directory, text):
            """What is wrong with a compose file, one text a fault."""
            compose = yaml.safe_load(text)
            found = []
            with tempfile.TemporaryDirectory() as scratch:
                place = directory or scratch
                for service in compose['services'].values():
                    build = service.get('build')
                    build = build.get('context') if isinstance(build, dict) else build
                    if build and directory is None:
                        os.makedirs(os.path.join(place, build), exist_ok=True)
                # What people must set is set, as a path may be. A variable that nobody sets is only warned of.
                needed = {name: '/set' for name in re.findall(r'\$\{(\w+):\?', text)}
                kept = {name: os.environ[name] for name in ('PATH', 'HOME') if name in os.environ}
                with tempfile.NamedTemporaryFile('w', suffix='.yml') as file:
                    file.write(text)
                    file.flush()
                    r = subprocess.run(['docker-compose', '--project-directory', place, '-f', file.name, 'config', '-q'], env={**kept, **needed}, capture_output=True, text=True)
                if r.returncode or r.stdout.strip() or r.stderr.strip():
                    found.append(f'Compose: {r.stdout}{r.stderr}')
            for name, service in compose['services'].items():
                if ('image' in service) == ('build' in service):
                    found.append(f'{name} has neither image nor build, or both')
                tag = service.get('image', 'x:1').rsplit('/', 1)[-1].partition(':')[2]
                if not tag or tag == 'latest' or '$' in tag:
                    found.append(f'{name} is not pinned')
                for volume in service.get('volumes', []):
                    source = volume.split(':')[0]
                    if directory and source.startswith('.') and not os.path.exists(os.path.join(directory, source)):
                        found.append(f'{source} is not there')
                for port in service.get('ports', []):
                    if not port.startswith('127.0.0.1:'):
                        found.append(f'{name} is open to the network: {port}')
                for key, value in (service.get('environment') or {}).items():
                    if re.search('PASSWORD|SECRET|_KEY', key) and not str(value).startswith('${'):
                        found.append(f'{key} is written out')
                    if isinstance(value, str) and re.search(r'://[^/$]*:[^/$]*@', value):
                        found.append(f'{key} holds a password')
                # What connectors ask the environment for is given to them.
                for volume in service.get('volumes', []):
                    if directory and volume.split(':')[1] == '/etc/sluice/connectors.d':
                        for path in glob.glob(os.path.join(directory, volume.split(':')[0], '*.json')):
                            for variable in re.findall(r'\$\{env:(\w+)\}', open(path).read()):
                                if variable not in service['environment']:
                                    found.append(f'{name} does not get {variable} of {os.path.basename(path)}')
            return found

        """#

    private static let files = """
        names = []
        for name, directory, text in texts():
            if yaml.safe_load(text).get('services'):
                names.append(name)
                assert complaints(directory, text) == [], (name, complaints(directory, text))
        expected = ['docker-compose.yml', *(f'examples/{e}/docker-compose.yml' for e in ('banking-minio-fr', 'banking-s3', 'banking-snowflake', 'finance-gcs', 'json-lake-snowpipe')),
                    'docs/migration.md, block 1', 'docs/migration.md, block 2']
        assert names == expected, names
        # What the guide keeps is the same before and after, and what it removes is in its table.
        before, after = (yaml.safe_load(text)['services'] for name, _, text in texts() if name.startswith('docs/migration.md'))
        guide = open(root + '/docs/migration.md').read()
        removed = [name for line in guide.splitlines() if line.startswith('| `') for name in re.findall('`([a-z-]+)`', line.split('|')[1])]
        assert [name for name in before if name not in after] == [name for name in before if name in removed] and set(after) - set(before) == {'sluice'}
        for name in set(before) & set(after):
            assert before[name] == after[name], name
        # Its connectors get what they ask for.
        for variable in re.findall(r'\\$\\{env:([A-Z]\\w+)\\}', guide):
            assert variable in after['sluice']['environment'], variable
        print('done')
        """

    private static let sabotage = """
        name, directory, text = next(t for t in texts() if t[0] == 'examples/banking-minio-fr/docker-compose.yml')
        def seen(word, change):
            compose = yaml.safe_load(text)
            change(compose['services'])
            found = complaints(directory, yaml.safe_dump(compose))
            assert any(word in line for line in found), (word, found)
        seen('nowhere', lambda s: s['sluice'].update(depends_on=['nowhere']))
        seen('nowhere', lambda s: s['sluice'].update(volumes=['nowhere:/data']))
        seen('enviroment', lambda s: s['sluice'].update(enviroment={}))
        seen('NOT_SET', lambda s: s['sluice']['environment'].update(A='${NOT_SET}'))
        seen('not pinned', lambda s: s['minio'].update(image='minio/minio'))
        seen('not pinned', lambda s: s['minio'].update(image='registry:5000/minio/minio'))
        seen('is not there', lambda s: s['sluice'].update(volumes=['./conectors:/etc/sluice/connectors.d:ro']))
        seen('open to the network', lambda s: s['minio'].update(ports=['9000:9000']))
        seen('written out', lambda s: s['sluice']['environment'].update(AWS_SECRET_ACCESS_KEY='minioadmin'))
        seen('holds a password', lambda s: s['sluice']['environment'].update(URL='postgres://me:secret@host/db'))
        seen('does not get S3_ENDPOINT of lake.json', lambda s: s['sluice']['environment'].pop('S3_ENDPOINT'))
        print('done')
        """
}
