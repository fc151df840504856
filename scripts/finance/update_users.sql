-- One round of the users' changes: one of city, job and zip of a share of the users. For the SQL job connector with
-- sql.parameter.percentage, or psql -c "set job.percentage = 0.01" -f update_users.sql. Without the setting: one in a hundred.
update users set
    city = case choice when 0 then (array['Springfield', 'Riverside', 'Franklin', 'Clinton', 'Georgetown', 'Madison', 'Salem'])[1 + floor(random() * 7)] else city end,
    job = case choice when 1 then (array['Engineer', 'Nurse', 'Teacher', 'Chef', 'Pilot', 'Surveyor', 'Librarian'])[1 + floor(random() * 7)] else job end,
    zip = case choice when 2 then 10000 + floor(random() * 89999)::int else zip end
from (select floor(random() * 3)::int as choice) chosen,
    (select user_id as id from users order by random()
     limit (select ceil(count(*) * coalesce(nullif(current_setting('job.percentage', true), ''), '0.01')::numeric) from users)) share
where user_id = share.id;
