-- Names that persons gave to their keys, each sealed under the key of what is kept about the person.
CREATE TABLE key_names (
    key_hash BLOB NOT NULL PRIMARY KEY,
    scope    TEXT NOT NULL,
    sealed   BLOB NOT NULL
);
CREATE INDEX key_names_scope ON key_names (scope);
