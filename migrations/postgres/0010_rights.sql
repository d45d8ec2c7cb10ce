-- Whether a case is closed. A role that begins or ends at some time stands in `roles` as `role:from:until`, in
-- milliseconds since 1970, either of which may be empty.
ALTER TABLE cases ADD COLUMN closed BOOLEAN NOT NULL DEFAULT FALSE;
