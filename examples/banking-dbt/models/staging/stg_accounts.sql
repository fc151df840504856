select id as account_id, customer_id, account_type, balance, currency, changed_ms, lsn
from ({{ newest('accounts', [('id', 'int'), ('customer_id', 'int'), ('account_type', 'varchar'), ('balance', 'decimal(18,2)'), ('currency', 'varchar')]) }}) newest
