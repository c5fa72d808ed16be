-- What lets a merge plan whom each record means, once, and compare only records that may repeat others.
set local lock_timeout = '2s';

alter table merge_plan add column person_id bigint;
alter table merge_plan add column new_person boolean not null;

create table repeated_record (
    record_number bigint not null
);
create table following_record (
    record_number bigint not null,
    lead_record   bigint not null
);

grant usage on sequence person_person_id_seq to eligibility_payer;
grant select on repeated_record, following_record to eligibility_payer;
