-- The banking schema of the demo: customers own accounts, accounts have transactions.
create table if not exists customers (
    id serial primary key,
    first_name varchar(100) not null,
    last_name varchar(100) not null,
    email varchar(255) unique not null,
    created_at timestamptz default now()
);
create table if not exists accounts (
    id serial primary key,
    customer_id int references customers on delete cascade,
    account_type varchar(50),
    balance numeric(18,2) default 0 check (balance >= 0),
    currency char(3) default 'USD',
    created_at timestamptz default now()
);
create table if not exists transactions (
    id bigserial primary key,
    account_id int references accounts on delete cascade,
    txn_type varchar(50),
    amount numeric(18,2) check (amount > 0),
    related_account_id int,
    status varchar(20) default 'COMPLETED',
    created_at timestamptz default now()
);
