-- Of readings in an emergency: whether somebody has looked at why (`open`, `closed`).
ALTER TABLE grants ADD COLUMN review TEXT;
CREATE INDEX grants_review ON grants (item) WHERE review IS NOT NULL;
