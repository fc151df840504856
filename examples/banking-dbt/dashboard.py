"""Writes one HTML page with what the marts say: dashboard.py WAREHOUSE PAGE.html"""
import html, sys
import duckdb

warehouse = duckdb.connect(sys.argv[1], read_only=True)
PANELS = [
    ("Transactions", "select txn_type, count(*) as transactions, sum(amount) as amount from fact_transactions group by 1 order by 1"),
    ("Balances", "select account_type, count(*) as accounts, sum(balance) as balance from dim_accounts where is_current group by 1 order by 1"),
    ("Customers by volume", """select c.first_name || ' ' || c.last_name as customer, count(*) as transactions, sum(f.amount) as amount
        from fact_transactions f join dim_customers c on c.customer_id = f.customer_id and c.is_current group by c.customer_id, 1 order by 3 desc limit 10"""),
    ("History", "select customer_id, last_name, effective_from, effective_to from dim_customers where customer_id in (select customer_id from dim_customers where not is_current) order by 1, 3 limit 20"),
]


def table(sql):
    found = warehouse.sql(sql)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in found.columns)
    body = "".join("<tr>" + "".join(f"<td>{html.escape('' if v is None else str(v))}</td>" for v in row) + "</tr>" for row in found.fetchall())
    return f"<table><tr>{head}</tr>{body}</table>"


page = "".join(f"<h2>{title}</h2>{table(sql)}" for title, sql in PANELS)
with open(sys.argv[2], "w") as out:
    out.write(f"""<!doctype html><meta charset="utf-8"><title>Bank</title>
<style>body{{font:15px sans-serif;margin:2em auto;max-width:60em}}table{{border-collapse:collapse}}td,th{{border:1px solid #ccc;padding:.3em .7em;text-align:left}}</style>
<h1>Bank</h1>{page}""")
