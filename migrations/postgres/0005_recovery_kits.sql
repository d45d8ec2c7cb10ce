-- Recovery kits: a sheet and a file that together hold the vault's keys. Which keys are in each, by check values that say
-- nothing about them; and when somebody showed that sheet and file open, if anybody did.
CREATE TABLE recovery_kits (
    kit     BIGINT NOT NULL PRIMARY KEY,
    made    BIGINT NOT NULL,
    keys    TEXT   NOT NULL,
    checked BIGINT
);

-- One row where the vault takes sample data only, for ever: no recovery kit is asked for there.
CREATE TABLE samples_only (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1)
);
