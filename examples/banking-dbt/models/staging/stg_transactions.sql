select id as transaction_id, account_id, txn_type, amount, related_account_id, status, changed_ms, lsn
from ({{ newest('transactions', [('id', 'bigint'), ('account_id', 'int'), ('txn_type', 'varchar'), ('amount', 'decimal(18,2)'), ('related_account_id', 'int'), ('status', 'varchar')]) }}) newest
