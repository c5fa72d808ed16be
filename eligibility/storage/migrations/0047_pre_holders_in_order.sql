-- The model of a session's own table: while counters ask, a first file's holders are added some at a time, in the order of
-- their index.
set local lock_timeout = '2s';

create table ordered_holder (like stated_holder);
grant select on ordered_holder to eligibility_payer;
