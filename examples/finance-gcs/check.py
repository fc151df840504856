"""The lake equals its sources: check.py LAKE DATA. The cards file row by row, the rates by their polls, users and merchants by their newest image."""
import csv, glob, os, sys
import duckdb

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../common"))
import database

lake, data = sys.argv[1:3]
RATES = {"EUR": 1.17, "DKK": 0.16, "SEK": 0.11, "NOK": 0.10}


def files(folder):
    found = glob.glob(f"{lake}/{folder}/**/*.parquet", recursive=True)
    return found or sys.exit(f"no file of {folder} yet")


rows = list(csv.DictReader(open(f"{data}/credit_card_transactions_events.csv", newline=""), delimiter=";"))
ours = duckdb.sql(f"select trans_num, trans_date_trans_time, user_id, merchant, category, unix_time, is_fraud, currency, original_amt from read_parquet({files('transactions')!r}) order by unix_time, trans_num").fetchall()
if len(ours) != len(rows):
    sys.exit(f"transactions: {len(ours)} of {len(rows)} rows")
rows.sort(key=lambda r: (int(r["unix_time"]), r["trans_num"]))
for mine, row in zip(ours, rows):
    assert mine[:7] == (row["trans_num"], row["trans_date_trans_time"], row["user_id"], row["merchant"], row["category"], int(row["unix_time"]), int(row["is_fraud"])), row["trans_num"]
    assert mine[8] == float(row["amt"]) / RATES[mine[7]], row["trans_num"]
print(f"transactions: {len(ours)} rows are equal")

polls = duckdb.sql(f"select timestamp, count(*), count(distinct currency), min(base_currency), count(distinct filename) from read_parquet({files('fx_rates')!r}, filename = true) group by 1").fetchall()
if len(polls) < 2:
    sys.exit("fx_rates: fewer than two polls")
assert all(poll[1:] == (4, 4, "USD", 1) for poll in polls) and len(polls) == len(files("fx_rates")), polls
print(f"fx_rates: {len(polls)} polls of 4 rates, a file each")

for table, key in [("users", "user_id"), ("merchants", "merchant")]:
    newest = duckdb.sql(f"""select * from read_parquet({files(table)!r}, union_by_name = true) qualify row_number() over (partition by {key} order by __lsn desc nulls last) = 1""")
    print(f"{table}: {database.equals(table, [dict(zip(newest.columns, row)) for row in newest.fetchall()])} rows are equal")
