-- Each process compares at its start what the database has had with what its release needs.
set local lock_timeout = '2s';

grant select on schema_migration to eligibility_counter, eligibility_payer, eligibility_worker;
