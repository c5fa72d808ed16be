-- name: others_as_of
-- As of when the data of all others are that have stated anything: what a merge states is known later than what its
-- insurer had stated before, and this is noted with it.
-- $1 insurer number
select insurer_number, data_as_of from insurer where insurer_number <> $1 and data_as_of is not null;

-- name: keep_lone_statements
-- Keep what this merge states of persons of whom it has seen nothing stated, though it has not added them itself:
-- somebody else who is not finished may be about to. Whoever states a person that this one adds, waits for it.
-- $1 insurer number, $2 merge time
insert into lone_statement (person_id, coverage_id, insurer_number, kept_at)
select m.person_id, m.coverage_id, $1, $2
from merge_plan m
where m.change in ('new', 'corrected') and not m.new_person and not m.settled
    and not exists (
        select from known_link k where k.record_number = m.record_number and k.person_id = m.person_id
    );

-- name: lock_end_of_merges
-- Wait for the turn to end a merge; the lock ends with the transaction, and that with a session that says nothing more.
select pg_advisory_xact_lock(2, 0), set_config('idle_in_transaction_session_timeout', '60s', true);

-- name: forget_lone_statements
-- Drop lone statements that no load can have begun before, some at a time: others wait for their turn.
-- $1 days, $2 limit
delete from lone_statement where ctid = any (array(
    select ctid from lone_statement
    where kept_at < clock_timestamp() - make_interval(days => $1) order by kept_at limit $2
));

-- name: stated_meanwhile
-- Persons of whom this merge and others, unseen by it, state different holders or the same days: of those whom this
-- one states anew and has not added itself, and of those whom the others have stated alone. OFFSET 0 keeps each of them
-- looked up by index, whatever the planner knows of what has just been merged.
-- $1 insurer number, $2 the others' insurers, $3 as of when each one's data were seen, $4 persons looked at again already
with unseen as (
    select insurer_number, seen from unnest($2::text[], $3::timestamptz[]) as u (insurer_number, seen)
), mine as (
    select person_id, coverage_id from merge_plan
    where change in ('new', 'corrected', 'lost') and not new_person and not settled
    union all
    select s.person_id, s.coverage_id
    from unseen u
    join lone_statement l on l.insurer_number = u.insurer_number and l.kept_at > u.seen
    cross join lateral (
        select person_id, coverage_id, insurer_number from coverage
        where person_id = l.person_id and known_to = 'infinity'
        offset 0
    ) s
    where s.insurer_number = $1
)
select distinct s.person_id
from mine
cross join lateral (
    select c.name_key, c.name_kana, c.birth_date, c.sex, c.acquired_on, c.lost_on
    from coverage c
    join unseen u on u.insurer_number = c.insurer_number and c.known_from > u.seen
    where c.person_id = mine.person_id and c.known_to = 'infinity'
    offset 0
) c
join coverage s on s.person_id = mine.person_id and s.coverage_id = mine.coverage_id and s.known_to = 'infinity'
where s.person_id <> all($4::bigint[])
    and (
        row(c.name_key, c.name_kana, c.birth_date, c.sex) is distinct from
            row(s.name_key, s.name_kana, s.birth_date, s.sex)
        or (
            c.acquired_on < coalesce(s.lost_on, 'infinity') and s.acquired_on < coalesce(c.lost_on, 'infinity')
            and c.acquired_on < coalesce(c.lost_on, 'infinity') and s.acquired_on < coalesce(s.lost_on, 'infinity')
        )
    );

-- name: take_back_statements
-- Close what an insurer's first load has just stated of some persons, with its certificates, before its merge becomes
-- known: nobody has seen it, because its transaction is still open, and nothing known is ever deleted.
-- $1 insurer number, $2 persons, $3 merge time
with taken_back as (
    update coverage set known_to = $3
    where person_id = any($2) and insurer_number = $1 and known_to = 'infinity'
    returning person_id, coverage_id, known_to
), limits as (
    update limit_certificate k set known_to = t.known_to
    from taken_back t
    where k.person_id = t.person_id and k.coverage_id = t.coverage_id and k.known_to = 'infinity'
), diseases as (
    update specific_disease_certificate k set known_to = t.known_to
    from taken_back t
    where k.person_id = t.person_id and k.coverage_id = t.coverage_id and k.known_to = 'infinity'
), elderly as (
    update elderly_certificate k set known_to = t.known_to
    from taken_back t
    where k.person_id = t.person_id and k.coverage_id = t.coverage_id and k.known_to = 'infinity'
)
select p.linkage_code from taken_back join person p using (person_id);
