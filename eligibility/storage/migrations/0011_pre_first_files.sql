-- What lets the records of a first file that stand alone be merged portion by portion.
set local lock_timeout = '2s';

create table stated_code (
    linkage_code text not null
);
create table named_person (
    person_id    bigint not null,
    linkage_code text not null
);
create table postponed_eligibility (like staged_eligibility);

grant select on stated_code, named_person, postponed_eligibility to eligibility_payer;
