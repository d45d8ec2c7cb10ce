-- Whoever is signed in by a browser. Of the cookie's secret only the hash is kept.
CREATE TABLE sessions (
    id        TEXT   NOT NULL PRIMARY KEY,
    hash      BYTEA  NOT NULL UNIQUE,
    person    TEXT   NOT NULL,
    label     TEXT   NOT NULL,
    method    TEXT   NOT NULL,
    -- The API token that it was opened with and ends with.
    token     TEXT,
    created   BIGINT NOT NULL,
    seen      BIGINT NOT NULL,
    -- When a second factor was last shown.
    confirmed BIGINT,
    expires   BIGINT NOT NULL,
    ended     BIGINT
);
CREATE INDEX sessions_person ON sessions (person);
CREATE INDEX sessions_token ON sessions (token) WHERE token IS NOT NULL;
CREATE INDEX sessions_expires ON sessions (expires);
