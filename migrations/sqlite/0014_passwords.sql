-- A password and the device that gives codes, always together: neither signs in alone. Both are sealed under the vault's
-- sign-in key; the name is a keyed hash.
CREATE TABLE passwords (
    person  TEXT   NOT NULL PRIMARY KEY,
    name    BLOB   NOT NULL UNIQUE,
    hash    BLOB   NOT NULL,
    codes   BLOB   NOT NULL,
    -- The time step of the last code that counted: no code counts twice.
    step    BIGINT NOT NULL,
    changed BIGINT NOT NULL
);

-- Each counts once.
CREATE TABLE recovery_codes (
    hash   BLOB   NOT NULL PRIMARY KEY,
    person TEXT   NOT NULL,
    used   BIGINT
);
CREATE INDEX recovery_codes_person ON recovery_codes (person);

-- Browsers that somebody has signed in with: what strangers guess does not lock them out.
CREATE TABLE devices (
    hash   BLOB   NOT NULL PRIMARY KEY,
    person TEXT   NOT NULL,
    seen   BIGINT NOT NULL
);
CREATE INDEX devices_person ON devices (person, seen);

-- Failures by keyed hash of whose or from where.
CREATE TABLE guesses (
    subject  BLOB   NOT NULL PRIMARY KEY,
    failures BIGINT NOT NULL,
    last     BIGINT NOT NULL,
    until    BIGINT NOT NULL
);
CREATE INDEX guesses_last ON guesses (last);

-- What somebody has begun and not finished; each is used once.
CREATE TABLE challenges (
    hash    BLOB   NOT NULL PRIMARY KEY,
    kind    TEXT   NOT NULL,
    person  TEXT,
    state   BLOB   NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX challenges_expires ON challenges (expires);
