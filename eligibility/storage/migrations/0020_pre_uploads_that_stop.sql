-- Uploads that stop: since when each has not gone on, so that it can be ended and no later file waits for it for ever.
set local lock_timeout = '2s';

alter table submission add column touched_at timestamptz not null default now();
create index submission_receiving on submission (touched_at) where state = 'receiving';

grant update (touched_at) on submission to eligibility_payer;
