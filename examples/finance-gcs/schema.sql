create table if not exists users (
    user_id uuid primary key, first_name text, last_name text, gender char, street text, city text, zip int, lat decimal, long decimal, job text, dob date
);
create table if not exists merchants (merchant text primary key, merch_lat decimal, merch_long decimal, merch_zipcode int);
