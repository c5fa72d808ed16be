-- A reversal lists what was looked at, by the events of the looks themselves and not by the consents before them.
set local lock_timeout = '2s';

create function disclosures_of(person bigint, since timestamptz)
returns table (event_id uuid, occurred_at timestamptz, institution_code text, staff_id text, verification_id uuid, class text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select e.event_id, e.occurred_at, e.institution_code, e.actor, e.verification_id, e.detail ->> 'class'
    from public.audit_event e
    where e.verification_id in (
            select c.verification_id from public.consent c where c.person_id = person and since < c.expires_at
        )
        and e.event_id >= public.first_uuid7(since) and e.kind = 'disclosure' and e.person_id = person
$$;
revoke execute on function disclosures_of from public;
grant execute on function disclosures_of to eligibility_payer;
