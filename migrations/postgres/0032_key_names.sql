-- Names that persons gave to their keys, each sealed under the key of what is kept about the person.
CREATE TABLE key_names (
    key_hash BYTEA NOT NULL PRIMARY KEY,
    scope    TEXT NOT NULL,
    sealed   BYTEA NOT NULL
);
CREATE INDEX key_names_scope ON key_names (scope);
