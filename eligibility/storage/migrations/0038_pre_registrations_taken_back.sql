-- A reversal takes back what counters have kept of the person meanwhile: consents, cards, institutions' own numbers.
set local lock_timeout = '2s';

create function hold_registrations() returns void language sql security definer set search_path = pg_catalog, pg_temp as $$
    lock table public.card, public.reference_number in share row exclusive mode
$$;

create function withdraw_consents_of(person bigint, since timestamptz, at timestamptz)
returns table (verification_id uuid, institution_code text, class text, given_at timestamptz)
language sql security definer set search_path = pg_catalog, pg_temp as $$
    update public.consent c set withdrawn_at = at
    where c.person_id = person and since <= c.given_at and c.withdrawn_at is null and at < c.expires_at
    returning c.verification_id, c.institution_code, c.class, c.given_at
$$;

create function take_back_cards_of(person bigint, since timestamptz)
returns table (institution_code text, registered_at timestamptz)
language sql security definer set search_path = pg_catalog, pg_temp as $$
    delete from public.card c where c.person_id = person and since <= c.registered_at
    returning c.institution_code, c.registered_at
$$;

create function take_back_reference_numbers_of(person bigint, since timestamptz)
returns table (institution_code text, reference_number text, registered_at timestamptz)
language sql security definer set search_path = pg_catalog, pg_temp as $$
    delete from public.reference_number r where r.person_id = person and since <= r.registered_at
    returning r.institution_code, r.reference_number, r.registered_at
$$;

revoke execute on function hold_registrations, withdraw_consents_of, take_back_cards_of,
    take_back_reference_numbers_of from public;
grant execute on function hold_registrations, withdraw_consents_of, take_back_cards_of,
    take_back_reference_numbers_of to eligibility_payer;
