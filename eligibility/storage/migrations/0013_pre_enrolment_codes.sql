-- One-time codes by which a terminal enrols itself.
set local lock_timeout = '5s';

-- ── Enrolment codes ─────────────────────────────────────────────────────────────────────────────────────────────

create table enrolment_code (
    code_hash        bytea primary key check (length(code_hash) = 32),  -- the code itself is kept nowhere
    institution_code text not null references institution,
    name             text not null,
    issued_at        timestamptz not null,
    expires_at       timestamptz not null,
    used_at          timestamptz,
    terminal_id      uuid references terminal,
    key_hash         bytea,  -- of the key that it enrolled: whoever holds that may fetch the certificate again
    check (issued_at < expires_at),
    check ((used_at is null) = (terminal_id is null) and (used_at is null) = (key_hash is null))
);

-- Uses a code up for a new terminal; no row means it is wrong, used for another key, expired, or its institution has
-- closed. The API may do this and nothing else about terminals: without a code it can enrol none.
create function enrol_by_code(code bytea, key bytea, new_terminal uuid, today date, at timestamptz)
returns table (enrolled_id uuid, enrolled_at_institution text, institution_name text, terminal_name text, is_new boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    issued public.enrolment_code%rowtype;
begin
    select c.code_hash, c.institution_code, c.name, c.issued_at, c.expires_at, c.used_at, c.terminal_id, c.key_hash
    into issued
    from public.enrolment_code c
    where c.code_hash = code and c.issued_at <= at and at < c.expires_at
    for update;
    if issued.code_hash is null or (issued.used_at is not null and issued.key_hash <> key) then
        return;
    end if;
    if issued.used_at is null then
        insert into public.terminal (terminal_id, institution_code, name, enrolled_at)
        values (new_terminal, issued.institution_code, issued.name, at);
        update public.enrolment_code set used_at = at, terminal_id = new_terminal, key_hash = key
        where code_hash = code;
    end if;
    return query
    select t.terminal_id, t.institution_code, i.name, t.name, issued.used_at is null
    from public.terminal t
    join public.institution i on i.institution_code = t.institution_code
    where t.terminal_id = coalesce(issued.terminal_id, new_terminal) and t.revoked_at is null
      and (i.closed_on is null or today < i.closed_on);
end $$;
revoke execute on function enrol_by_code from public;
grant execute on function enrol_by_code to eligibility_counter;
