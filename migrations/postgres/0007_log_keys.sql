-- Keys that the log had before the one in `vault`, each with the size of the largest checkpoint that it can have signed:
-- the index of the record that replaced it.
CREATE TABLE former_log_keys (
    last_size BIGINT NOT NULL PRIMARY KEY,
    vkey      TEXT   NOT NULL UNIQUE
);
