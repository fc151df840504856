# The part of the banking examples that is the same: the bank's life, a kill -9 in the middle of it, and the proof that nothing is missing. Sourced
# after lib.sh; BUCKET, GENERATOR (arguments of generate.sh), LAYOUT (rows, or events) and ROWS (of a file, at most) are the example's; is_complete may be.
# Asked as a condition, where `set -e` does not count: every step says whether it failed.
is_complete() {
  "$python" "$root/examples/common/lake.py" download "$BUCKET" "$work/lake" || return 1
  for table in customers accounts transactions; do
    "$python" "$root/examples/common/lake.py" equals "$work/lake" $table "${LAYOUT:-rows}" || return 1
  done
}

generate() { "$root/scripts/banking/generate.sh" --once "${GENERATOR[@]}" "$@" >/dev/null; }

first_half() {
  psql -qX -f "$root/scripts/banking/schema.sql" 2>/dev/null
  generate --seed 1
  start_sluice
  wait_for "the snapshot has arrived" is_complete
  say "the snapshot has arrived"
}

# From here on the database keeps a journal of its own, by triggers in the same transactions: what a history made of the lake must equal.
start_journal() {
  psql -qX <<'SQL'
create schema audit;
create table audit.journal (seq bigserial primary key, of_table text, id int, image jsonb);
create function audit.note() returns trigger language plpgsql as $$ begin
  insert into audit.journal (of_table, id, image) values (tg_table_name, coalesce(new.id, old.id), to_jsonb(new));
  return null;
end $$;
create trigger journal after insert or update or delete on customers for each row execute function audit.note();
create trigger journal after insert or update or delete on accounts for each row execute function audit.note();
insert into audit.journal (of_table, id, image) select 'customers', id, to_jsonb(c) from customers c union all select 'accounts', id, to_jsonb(a) from accounts a;
SQL
}

second_half() {
  start_journal
  generate --seed 2 &
  local generator=$!
  sleep 0.3
  kill_sluice
  say "the worker was killed while it read"
  start_sluice
  wait "$generator"
  psql -qX -c "update customers set last_name = 'Married' where id % 4 = 0" -c "delete from transactions where id % 17 = 0" \
    -c "update accounts set balance = balance * 2 where id % 5 = 0"
  wait_for "every change has arrived" is_complete
  stop_sluice
  is_complete | sed "s/^/$name: /" | tee "$work/equal.txt"
}

check_listing() {
  "$python" "$root/examples/common/lake.py" listing "$work/lake" >"$work/listing.txt"
  diff -u "$example/expected.txt" "$work/listing.txt" || fail "the objects are not those of expected.txt"
  [ -z "${ROWS:-}" ] || "$python" "$root/examples/common/lake.py" at_most "$work/lake" "$ROWS"
  [ -z "$(find "$work/data/scratch" -type f)" ] || fail "a temporary file is left: $(find "$work/data/scratch" -type f)"
  say "the objects are those of expected.txt"
}
