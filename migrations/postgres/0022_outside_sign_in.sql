-- Keys of certificates that people and machines show, each of one person: the hash of the public key, and no name.
CREATE TABLE certificates (
    id      TEXT   NOT NULL PRIMARY KEY,
    key     BYTEA  NOT NULL UNIQUE,
    person  TEXT   NOT NULL,
    label   TEXT   NOT NULL,
    created BIGINT NOT NULL,
    used    BIGINT
);
CREATE INDEX certificates_person ON certificates (person);

-- Who somebody is at an outside provider: a keyed hash of the provider and of its name for the person.
CREATE TABLE provider_links (
    id       TEXT   NOT NULL PRIMARY KEY,
    subject  BYTEA  NOT NULL UNIQUE,
    person   TEXT   NOT NULL,
    provider TEXT   NOT NULL,
    created  BIGINT NOT NULL,
    used     BIGINT
);
CREATE INDEX provider_links_person ON provider_links (person);
