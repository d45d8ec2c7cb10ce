-- Public keys of authenticators, with the counters that show a copy.
CREATE TABLE passkeys (
    id         TEXT   NOT NULL PRIMARY KEY,
    credential BYTEA  NOT NULL UNIQUE,
    person     TEXT   NOT NULL,
    label      TEXT   NOT NULL,
    key        BYTEA  NOT NULL,
    created    BIGINT NOT NULL,
    used       BIGINT
);
CREATE INDEX passkeys_person ON passkeys (person);
