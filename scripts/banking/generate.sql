-- One round of the demo's generator: 10 customers with two accounts each, then 500 transactions, every one committed by itself.
do $$
declare
    first_names text[] := array['Ada', 'Grace', 'Edsger', 'Barbara', 'Alan', 'Margaret', 'Donald', 'Frances', 'Leslie', 'Radia'];
    last_names text[] := array['Lovelace', 'Hopper', 'Dijkstra', 'Liskov', 'Turing', 'Hamilton', 'Knuth', 'Allen', 'Lamport', 'Perlman'];
    kinds text[] := array['DEPOSIT', 'WITHDRAWAL', 'TRANSFER'];
    customer int;
    account int;
    other int;
    accounts int[];
    kind text;
begin
    for i in 1..10 loop
        insert into customers (first_name, last_name, email)
        values (first_names[1 + floor(random() * 10)], last_names[1 + floor(random() * 10)], gen_random_uuid() || '@example.com')
        returning id into customer;
        insert into accounts (customer_id, account_type, balance)
        values (customer, 'SAVINGS', round((10 + random() * 990)::numeric, 2)), (customer, 'CHECKING', round((10 + random() * 990)::numeric, 2));
        commit;
    end loop;
    select array_agg(id) into accounts from (select id from accounts order by id desc limit 200) recent;
    for i in 1..500 loop
        account := accounts[1 + floor(random() * cardinality(accounts))];
        other := accounts[1 + floor(random() * cardinality(accounts))];
        kind := kinds[1 + floor(random() * 3)];
        insert into transactions (account_id, txn_type, amount, related_account_id)
        values (account, kind, round((1 + random() * 999)::numeric, 2), case kind when 'TRANSFER' then other end);
        update accounts a set balance = balance + 1 where a.id = account;
        commit;
    end loop;
end $$;
