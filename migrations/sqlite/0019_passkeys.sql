-- Public keys of authenticators, with the counters that show a copy.
CREATE TABLE passkeys (
    id         TEXT   NOT NULL PRIMARY KEY,
    credential BLOB   NOT NULL UNIQUE,
    person     TEXT   NOT NULL,
    label      TEXT   NOT NULL,
    key        BLOB   NOT NULL,
    created    BIGINT NOT NULL,
    used       BIGINT
);
CREATE INDEX passkeys_person ON passkeys (person);
