select id as customer_id, first_name, last_name, email, effective_from, effective_to, is_current, from_lsn, to_lsn
from ({{ history('customers', [('id', 'int'), ('first_name', 'varchar'), ('last_name', 'varchar'), ('email', 'varchar')], ['first_name', 'last_name', 'email']) }}) versions
