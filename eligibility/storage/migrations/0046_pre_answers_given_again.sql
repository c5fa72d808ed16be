-- What was answered before is given out again only as long as nobody's viewing is suspended who has the coverage. Results
-- of a worker of the former release name no coverage, and are given out as they were made until they are cleared.
set local lock_timeout = '2s';

alter table bulk_result add column person_id bigint, add column coverage_id bigint;

grant select (coverage_id) on verification to eligibility_counter;
