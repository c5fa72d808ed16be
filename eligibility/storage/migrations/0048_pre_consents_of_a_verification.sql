-- In no transaction.
-- A verification's consents are found without reading all that its person has ever given, who may be at counters every
-- week. Nobody waits while the index is made; what a try that was ended has left of it goes first.
set lock_timeout = '1h';
drop index concurrently if exists consent_by_verification;
create unique index concurrently consent_by_verification on consent (person_id, verification_id, class);
reset lock_timeout;
