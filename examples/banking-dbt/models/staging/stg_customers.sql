select id as customer_id, first_name, last_name, email, changed_ms, lsn
from ({{ newest('customers', [('id', 'int'), ('first_name', 'varchar'), ('last_name', 'varchar'), ('email', 'varchar')]) }}) newest
