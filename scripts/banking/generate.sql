-- One round of the bank: customers with their accounts, then transactions, every one committed by itself. The settings have defaults;
-- generate.sh sets them from flags and a file.
--     gen.num_customers 10, gen.accounts_per_customer 2, gen.num_transactions 500, gen.max_txn_amount 1000, gen.currency USD,
--     gen.initial_balance_min 10, gen.initial_balance_max 1000, gen.seed (none)
do $$
declare
    first_names text[] := array['Ada', 'Grace', 'Edsger', 'Barbara', 'Alan', 'Margaret', 'Donald', 'Frances', 'Leslie', 'Radia'];
    last_names text[] := array['Lovelace', 'Hopper', 'Dijkstra', 'Liskov', 'Turing', 'Hamilton', 'Knuth', 'Allen', 'Lamport', 'Perlman'];
    account_types text[] := array['SAVINGS', 'CHECKING'];
    kinds text[] := array['DEPOSIT', 'WITHDRAWAL', 'TRANSFER'];
    customers int := coalesce(nullif(current_setting('gen.num_customers', true), ''), '10');
    accounts_each int := coalesce(nullif(current_setting('gen.accounts_per_customer', true), ''), '2');
    transactions int := coalesce(nullif(current_setting('gen.num_transactions', true), ''), '500');
    max_amount numeric := coalesce(nullif(current_setting('gen.max_txn_amount', true), ''), '1000');
    currency_code text := coalesce(nullif(current_setting('gen.currency', true), ''), 'USD');
    balance_min numeric := coalesce(nullif(current_setting('gen.initial_balance_min', true), ''), '10');
    balance_max numeric := coalesce(nullif(current_setting('gen.initial_balance_max', true), ''), '1000');
    seed text := nullif(current_setting('gen.seed', true), '');
    first_name text;
    last_name text;
    customer int;
    account int;
    other int;
    accounts int[];
    kind text;
begin
    -- The same seed on the same database gives the same rows but for their times; each round of a run has a seed of its own.
    if seed is not null then perform setseed((('x' || substr(md5(seed), 1, 7))::bit(28)::int)::float8 / 268435456); end if;
    for i in 1..customers loop
        customer := nextval(pg_get_serial_sequence('customers', 'id'));
        first_name := first_names[1 + floor(random() * 10)];
        last_name := last_names[1 + floor(random() * 10)];
        insert into customers (id, first_name, last_name, email)
        values (customer, first_name, last_name, lower(first_name || '.' || last_name) || '.' || customer || '@example.com');
        for j in 1..accounts_each loop
            insert into accounts (customer_id, account_type, balance, currency)
            values (customer, account_types[1 + (j - 1) % 2], round((balance_min + random() * (balance_max - balance_min))::numeric, 2), currency_code);
        end loop;
        commit;
    end loop;
    select array_agg(id order by id) into accounts from (select id from accounts order by id desc limit 200) recent;
    if accounts is null then return; end if;
    for i in 1..transactions loop
        account := accounts[1 + floor(random() * cardinality(accounts))];
        other := accounts[1 + floor(random() * cardinality(accounts))];
        kind := kinds[1 + floor(random() * 3)];
        insert into transactions (account_id, txn_type, amount, related_account_id)
        values (account, kind, round((1 + random() * (max_amount - 1))::numeric, 2), case kind when 'TRANSFER' then other end);
        update accounts a set balance = balance + 1 where a.id = account;
        commit;
    end loop;
end $$;
