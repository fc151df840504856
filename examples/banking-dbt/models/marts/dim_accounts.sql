select id as account_id, customer_id, account_type, balance, currency, effective_from, effective_to, is_current, from_lsn, to_lsn
from ({{ history('accounts', [('id', 'int'), ('customer_id', 'int'), ('account_type', 'varchar'), ('balance', 'decimal(18,2)'), ('currency', 'varchar')],
    ['customer_id', 'account_type', 'balance', 'currency']) }}) versions
