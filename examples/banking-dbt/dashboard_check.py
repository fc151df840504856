"""The page shows what the database holds, and follows the marts: dashboard_check.py WAREHOUSE PAGE.html (and the PG* variables)"""
import html.parser, os, shutil, subprocess, sys, tempfile
import duckdb

here = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(here, "../common"))
import database


class Page(html.parser.HTMLParser):
    """Tables by the heading before them: a list of rows of texts, the first one the columns' names."""

    def __init__(self, path):
        super().__init__()
        self.tables, self.title, self.text = {}, None, None
        self.feed(open(path, encoding="utf-8").read())

    def handle_starttag(self, tag, attributes):
        if tag in ("h2", "th", "td"):
            self.text = ""
        if tag == "tr":
            self.tables.setdefault(self.title, []).append([])

    def handle_endtag(self, tag):
        if tag == "h2":
            self.title = self.text
        if tag in ("th", "td"):
            self.tables[self.title][-1].append(self.text)
        if tag in ("h2", "th", "td"):
            self.text = None

    def handle_data(self, text):
        if self.text is not None:
            self.text += text


warehouse, page = sys.argv[1:3]
# By panel: the figures from the database itself, one that must be seen when it changes there, and one that must be seen when it changes in the marts.
PANELS = {
    "Transactions": (
        "select txn_type, count(*)::text, sum(amount)::text from transactions group by 1",
        "update transactions set amount = amount + 0.01 where id = (select min(id) from transactions)",
        "update fact_transactions set amount = amount + 0.01 where transaction_id = (select min(transaction_id) from fact_transactions)"),
    "Balances": (
        "select account_type, count(*)::text, sum(balance)::text from accounts group by 1",
        "update accounts set balance = balance + 0.01 where id = (select min(id) from accounts)",
        "update dim_accounts set balance = balance + 0.01 where is_current and account_id = (select min(account_id) from dim_accounts where is_current)"),
    "Customers by volume": (
        """select c.first_name || ' ' || c.last_name, count(*)::text, sum(t.amount)::text
            from transactions t join accounts a on a.id = t.account_id join customers c on c.id = a.customer_id
            group by c.id, 1 order by sum(t.amount) desc, c.id limit 10""",
        "update transactions set amount = amount + 1000000 where id = (select min(id) from transactions)",
        "update fact_transactions set amount = amount + 1000000 where transaction_id = (select min(transaction_id) from fact_transactions)"),
    # Every version of those customers that have more than one, as the database's journal has it.
    "History": (
        """with images as (select id, seq, image ->> 'last_name' as last_name, row_number() over (partition by id order by seq) as version,
                lag(image ->> 'last_name') over (partition by id order by seq) as before from audit.journal where of_table = 'customers' and image is not null),
            versions as (select *, lead(seq) over (partition by id order by seq) is null as is_last, count(*) over (partition by id) as of_it
                from images where before is distinct from last_name)
            select id::text, last_name, version::text, is_last::text from versions where of_it > 1 order by id, version limit 20""",
        "update audit.journal set image = jsonb_set(image, '{last_name}', '\"Someone\"') where of_table = 'customers' and seq = (select max(seq) from audit.journal where of_table = 'customers')",
        "update dim_customers set last_name = 'Someone' where is_current"),
}


def shown(path):
    """By panel, its rows as the queries above have them."""
    tables = {title: rows[1:] for title, rows in Page(path).tables.items()}
    history, versions = [], {}
    for customer, last_name, begin, end in tables["History"]:
        versions[customer] = versions.get(customer, 0) + 1
        if not begin or (end and end < begin):
            sys.exit(f"dashboard: a version of customer {customer} is from {begin} to {end}")
        history.append([customer, last_name, str(versions[customer]), str(end == "").lower()])
    return tables | {"History": history}


figures = shown(page)
if set(figures) != set(PANELS):
    sys.exit(f"dashboard: the panels are {sorted(figures)}")
for title, (query, change, _) in PANELS.items():
    names = [f"c{i}" for i in range(len(figures[title][0]))]
    of_rows = f"select json_build_array({', '.join(names)}) from ({query}) figures({', '.join(names)})"
    database.must_be_equal(f"dashboard, {title}", figures[title], database.ask(of_rows), [("a figure", change)], of_rows)
    print(f"banking-dbt: dashboard, {title}: {len(figures[title])} rows are equal")

with tempfile.TemporaryDirectory() as directory:
    copy, other = f"{directory}/warehouse.duckdb", f"{directory}/page.html"
    for title, (_, _, change) in PANELS.items():
        shutil.copy(warehouse, copy)
        with duckdb.connect(copy) as altered:
            altered.sql(change)
        subprocess.run([sys.executable, f"{here}/dashboard.py", copy, other], check=True)
        if shown(other)[title] == figures[title]:
            sys.exit(f"dashboard, {title}: it does not follow the marts")
