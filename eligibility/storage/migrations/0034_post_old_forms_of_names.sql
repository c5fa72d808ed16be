-- Every process makes today's keys now: what is stored of names is brought to them, once, and what records are kept from
-- the register. Whom a process of the release before has stated without the trigger (an older release came back
-- meanwhile) is found again, too. While this runs insurers' merges wait; look-ups do not.
set local lock_timeout = '5s';

lock table coverage in share row exclusive mode;
with keyed as (
    update coverage set name_key = name_key_now(name_key)
    where known_to = 'infinity' and name_key <> name_key_now(name_key)
    returning holder_hash(name_key, birth_date) as holder_hash, person_id
)
insert into stated_holder (holder_hash, person_id)
select distinct k.holder_hash, k.person_id
from keyed k
where not exists (
    select from stated_holder h where h.holder_hash = k.holder_hash and h.person_id = k.person_id
)
order by 1;
update quarantined_record
set stated = jsonb_set(stated, '{name_key}', to_jsonb(name_key_now(stated ->> 'name_key')))
where superseded_at is null and stated ->> 'name_key' <> name_key_now(stated ->> 'name_key');
