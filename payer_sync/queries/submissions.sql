-- name: lock_manifest
-- Let two announcements of one insurer take turns, without waiting for its merges.
-- $1 insurer number
select pg_advisory_xact_lock(1, $1::text::integer);

-- name: insurer_is_known
-- Whether the insurer takes part.
-- $1 insurer number
select exists (select from insurer where insurer_number = $1) as known;

-- name: find_repeat
-- The submission of this very file that was merged or is still on its way, if any. Not where the file may come to
-- something else now: another file of the layout came after it, so that this one would change things back; it is held
-- because other bytes arrived; a case of it was decided against its records, and what they were compared with may have
-- been put right; or it is matched to coverages (claims, check-ups), a reviewer's to every insurer's, and these were
-- stated since. One announced with another length or count is another: it could never be completed.
-- $1 insurer number, $2 layout, $3 edition, $4 kind, $5 digest, $6 length, $7 records
select submission_id, insurer_number, layout, edition, kind, file_name, content_length, content_digest, stated_records,
    state, received_bytes, created_at, finished_at, records, refused, merged, unchanged,
    (select count(*) from feedback f where f.submission_id = s.submission_id) as faults
from submission s
where insurer_number = $1 and layout = $2 and edition = $3 and kind = $4 and content_digest = $5
    and content_length = $6 and stated_records = $7 and state <> 'refused'
    and not exists (
        select from submission later
        where later.insurer_number = $1 and later.layout = $2 and later.state <> 'refused'
            and (later.created_at, later.submission_id) > (s.created_at, s.submission_id)
    )
    and not (
        state = 'held'
        and exists (select from feedback f where f.submission_id = s.submission_id and f.code = 'held_digest')
    )
    and not exists (
        select from mislink_case c where c.submission_id = s.submission_id and c.state in ('rejected', 'reversed')
    )
    and not (
        layout <> 'eligibility' and state = 'merged'
        and exists (
            select from insurer i
            where i.data_as_of > s.finished_at
                and (i.insurer_number = $1 or (select reviews_claims from insurer where insurer_number = $1))
        )
    )
order by created_at desc
limit 1;

-- name: insert_submission
-- Announce a file.
-- $1 submission, $2 insurer number, $3 layout, $4 edition, $5 kind, $6 file name, $7 length, $8 digest, $9 records,
-- $10 state, $11 now
insert into submission (submission_id, insurer_number, layout, edition, kind, file_name, content_length,
    content_digest, stated_records, state, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: find_submission
-- One submission of one insurer.
-- $1 submission, $2 insurer number
select submission_id, insurer_number, layout, edition, kind, file_name, content_length, content_digest, stated_records,
    state, received_bytes, created_at, finished_at, records, refused, merged, unchanged,
    (select count(*) from feedback f where f.submission_id = s.submission_id) as faults
from submission s
where submission_id = $1 and insurer_number = $2;

-- name: advance_upload
-- Note that bytes are on disk, if nobody else has gone on from the same place.
-- $1 submission, $2 bytes before, $3 bytes now, $4 state now
update submission set received_bytes = $3, state = $4, touched_at = now()
where submission_id = $1 and received_bytes = $2 and state = 'receiving'
returning received_bytes;

-- name: abandoned_uploads
-- Uploads that have not gone on for so long and that nobody else is ending.
-- $1 how long, $2 limit
select submission_id, insurer_number, state, received_bytes
from submission
where state = 'receiving' and touched_at < now() - $1::interval
order by touched_at
limit $2
for update skip locked;

-- name: announced_before
-- Uploads of the very bytes that were announced again, which will not go on, and those that are held because other bytes
-- arrived, which an approval would merge.
-- $1 insurer number, $2 layout, $3 digest, $4 when announced again, $5 as which submission
select submission_id, insurer_number, state, received_bytes
from submission s
where insurer_number = $1 and layout = $2 and content_digest = $3 and (created_at, submission_id) < ($4, $5)
    and (
        state = 'receiving'
        or state = 'held'
        and exists (select from feedback f where f.submission_id = s.submission_id and f.code = 'held_digest')
    )
order by created_at, submission_id
for update;

-- name: on_their_way
-- The files that are on their way, the latest first; $1 how many of them.
select submission_id from submission where state not in ('merged', 'refused') order by created_at desc limit $1;

-- name: unfinished
-- Which of some submissions are still on their way.
-- $1 submissions
select submission_id from submission where submission_id = any($1) and state not in ('merged', 'refused');

-- name: waiting_submissions
-- Files that are here and not finished, those a killed process left included, in the order of their announcement; none of
-- a layout of which its insurer has announced another before that still comes in.
-- $1 for how long an upload may stop before others go ahead
select submission_id, insurer_number, layout, edition, kind, file_name, content_length, content_digest, stated_records,
    state, received_bytes, created_at, finished_at, records, refused, merged, unchanged, 0::bigint as faults,
    unended_loads
from submission s
where state in ('received', 'checking', 'merging') and not exists (
    select from submission earlier
    where earlier.insurer_number = s.insurer_number and earlier.layout = s.layout and earlier.state = 'receiving'
        and (earlier.created_at, earlier.submission_id) < (s.created_at, s.submission_id)
        and earlier.touched_at > now() - $1::interval
)
order by created_at, submission_id;

-- name: note_unended_loads
-- Note how many loads of a submission have come to no end.
-- $1 submission, $2 how many
update submission set unended_loads = $2 where submission_id = $1;

-- name: set_state
-- Move a submission on, unless it is finished or held already.
-- $1 submission, $2 state
update submission set state = $2 where submission_id = $1 and state not in ('held', 'merged', 'refused');

-- name: state_of_submission
-- How far a submission is.
-- $1 submission
select state from submission where submission_id = $1;

-- name: finish_submission
-- End a submission.
-- $1 submission, $2 state, $3 finished at, $4 records, $5 refused, $6 merged, $7 unchanged
update submission
set state = $2, finished_at = $3, records = $4, refused = $5, merged = $6, unchanged = $7, unended_loads = 0
where submission_id = $1;

-- name: insert_fault
-- One fault of the file as a whole.
-- $1 submission, $2 number, $3 record, $4 field, $5 code, $6 severity, $7 value shape, $8 expected
insert into feedback (submission_id, fault_number, record_number, field, code, severity, value_shape, expected)
values ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: feedback_page
-- Faults of a submission after a given one.
-- $1 submission, $2 number of the last fault seen, $3 limit
select fault_number, record_number, field, code, severity, value_shape, expected
from feedback
where submission_id = $1 and fault_number > $2
order by fault_number
limit $3;

-- name: verifications_recorded
-- How many verifications counters have recorded since the statistics began; another number each time they have asked.
-- None of them is looked at.
select coalesce(sum(pg_stat_get_tuples_inserted(relid)), 0)::bigint as recorded
from pg_partition_tree('verification')
where isleaf;
