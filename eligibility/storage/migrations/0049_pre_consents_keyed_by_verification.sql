-- That index is the key: a verification brings one consent of a class.
set local lock_timeout = '2s';

alter table consent
    drop constraint consent_pkey,
    add constraint consent_pkey primary key using index consent_by_verification;
