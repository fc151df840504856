"""Made-up cards data in the shape of the original's files: make_data.py DIRECTORY [ROWS]"""
import csv, os, random, sys, uuid

random.seed(3)
directory, rows = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2000
os.makedirs(directory, exist_ok=True)
draw = lambda items: random.choice(items)
users = [str(uuid.UUID(int=random.getrandbits(128))) for _ in range(200)]
merchants = [f"fraud_{name}, {kind}" for name in ("Kirlin", "Rippin", "Haley", "Kuhn", "Stroman") for kind in ("Inc", "LLC", 'the "Group"')]


def write(name, header, lines):
    with open(os.path.join(directory, name), "w", newline="") as file:
        csv.writer(file, delimiter=";").writerows([header, *lines])


write("users.csv", "user_id first_name last_name gender street city zip lat long job dob".split(),
      [[u, draw(["Ada", "Grace", "Alan"]), draw(["Lovelace", "Hopper", "Turing"]), draw("FM"), f"{random.randint(1, 99)} Main St", "Springfield", random.randint(10000, 99999),
        round(random.uniform(-90, 90), 4), round(random.uniform(-180, 180), 4), "Engineer", f"19{random.randint(50, 99)}-01-{random.randint(10, 28)}"] for u in users])
write("merchants.csv", "merchant merch_lat merch_long merch_zipcode".split(),
      [[m, round(random.uniform(-90, 90), 6), round(random.uniform(-180, 180), 6), random.randint(10000, 99999)] for m in merchants])
second = 1_577_836_800
lines = []
for i in range(rows):
    second += random.randint(0, 3)
    lines.append([f"2020-01-01 {second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}", draw(users), draw(merchants), draw(["grocery_pos", "travel", "misc_net"]),
                  f"{random.uniform(1, 900):.2f}", f"{random.getrandbits(128):032x}", second, int(random.random() < .01)])
write("credit_card_transactions_events.csv", "trans_date_trans_time user_id merchant category amt trans_num unix_time is_fraud".split(), lines)
