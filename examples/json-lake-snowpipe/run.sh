#!/usr/bin/env bash
# Change events as JSON files in a bucket, on this machine: see README.md.
set -euo pipefail
. "$(dirname "$0")/../common/lib.sh"
export S3_BUCKET_NAME=events FILE_MAX_AGE_MS=1000
begin
start_postgres
start_s3
psql -qX -f "$root/scripts/banking/schema.sql" 2>/dev/null
psql -qX <<'SQL'
create table journal (seq bigserial, id int, last_name text);
create function note() returns trigger language plpgsql as $$ begin insert into journal (id, last_name) values (new.id, new.last_name); return null; end $$;
create trigger note after insert or update of last_name on customers for each row execute function note();
SQL
generate() { "$root/scripts/banking/generate.sh" --once --customers 10 --transactions 50 "$@" >/dev/null; }
complete() {
  "$python" "$root/examples/common/lake.py" download "$S3_BUCKET_NAME" "$work/lake" || return 1
  "$python" "$example/check.py" "$work/lake"
}

generate --seed 1
start_sluice
wait_for "the snapshot is in the lake" complete
say "the snapshot is in the lake"
generate --seed 2 &
generator=$!
sleep 0.3
kill_sluice
say "the worker was killed while it read"
start_sluice
wait "$generator"
psql -qX -c "update customers set last_name = 'Married' where id % 4 = 0" -c "update customers set last_name = 'Again' where id % 8 = 0" -c "delete from transactions where id % 17 = 0"
wait_for "every change is in the lake" complete
stop_sluice
complete | sed "s/^/$name: /"
"$python" "$root/examples/common/lake.py" listing "$work/lake" >"$work/listing.txt"
diff -u "$example/expected.txt" "$work/listing.txt" || fail "the objects are not those of expected.txt"
say "the objects are those of expected.txt"
