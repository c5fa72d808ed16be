-- Every process that states coverages states their holders now, and none looks for them among the coverages. Whom a
-- process of the release before has stated without the trigger (an older release came back meanwhile) is added.
set local lock_timeout = '5s';

lock table coverage in share row exclusive mode;
insert into stated_holder (holder_hash, person_id)
select distinct holder_hash(c.name_key, c.birth_date), c.person_id
from coverage c
where c.known_to = 'infinity' and not exists (
    select from stated_holder h
    where h.holder_hash = holder_hash(c.name_key, c.birth_date) and h.person_id = c.person_id
);
drop trigger state_holders on coverage;
drop function state_holders();
drop index coverage_by_holder_hash;
