-- name: load_begins
-- Which transactions have ended: what is not visible in this snapshot is merged while the load is under way.
select pg_current_snapshot()::text as began;

-- name: keep_lone_statements
-- Keep what this merge states of persons of whom it has seen nothing stated, though it has not added them itself:
-- somebody else who is not finished may be about to. Whoever states a person that this one adds, waits for it.
-- $1 insurer number
insert into lone_statement (person_id, coverage_id, insurer_number)
select m.person_id, m.coverage_id, $1
from merge_plan m
where m.change in ('new', 'corrected') and not m.new_person
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
-- Persons of whom this merge and another insurer's, unseen by it, state different holders or the same days: of those
-- whom this one states alone, and of those whom merges that ended since it began have stated alone.
-- $1 insurer number, $2 snapshot at the load's beginning, $3 merge time, $4 persons looked at again already
with mine as (
    select person_id, coverage_id from lone_statement where stated_in = pg_current_xact_id()
    union
    select c.person_id, c.coverage_id
    from lone_statement l
    join coverage c on c.person_id = l.person_id and c.insurer_number = $1 and c.known_from = $3
    where l.insurer_number <> $1 and l.stated_in >= pg_snapshot_xmin($2::text::pg_snapshot)
        and not pg_visible_in_snapshot(l.stated_in, $2::text::pg_snapshot)
)
select distinct s.person_id
from mine
join coverage s on s.person_id = mine.person_id and s.coverage_id = mine.coverage_id and s.known_to = 'infinity'
join coverage c on c.person_id = mine.person_id and c.insurer_number <> $1 and c.known_to = 'infinity'
where s.person_id <> all($4::bigint[])
    and not exists (select from known_link k where k.person_id = c.person_id and k.coverage_id = c.coverage_id)
    and (
        row(c.name_key, c.name_kana, c.birth_date, c.sex) is distinct from
            row(s.name_key, s.name_kana, s.birth_date, s.sex)
        or (
            c.acquired_on < coalesce(s.lost_on, 'infinity') and s.acquired_on < coalesce(c.lost_on, 'infinity')
            and c.acquired_on < coalesce(c.lost_on, 'infinity') and s.acquired_on < coalesce(s.lost_on, 'infinity')
        )
    );

-- name: take_back_statements
-- Close what a load has just stated of some persons, with its certificates, at the first moment after it became known:
-- nobody has seen it, because its transaction is still open, and nothing known is ever deleted.
-- $1 insurer number, $2 persons, $3 merge time
with taken_back as (
    update coverage set known_to = known_from + interval '1 microsecond'
    where person_id = any($2) and insurer_number = $1 and known_from = $3 and known_to = 'infinity'
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
