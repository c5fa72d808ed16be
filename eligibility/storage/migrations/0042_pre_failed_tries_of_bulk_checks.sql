-- Bulk checks whose next items could not be done come after the others, and are given up after some tries.
set local lock_timeout = '2s';

alter table bulk_check add column failed_tries integer not null default 0;
drop index bulk_check_open;
create index bulk_check_open on bulk_check (failed_tries, accepted_at) where state <> 'done';

grant update (failed_tries) on bulk_check to eligibility_worker;
