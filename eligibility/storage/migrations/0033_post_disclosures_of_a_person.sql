-- No reversal reads consents any more.
set local lock_timeout = '5s';

revoke select (person_id, class, institution_code, verification_id, given_at, withdrawn_at) on consent
    from eligibility_payer;
