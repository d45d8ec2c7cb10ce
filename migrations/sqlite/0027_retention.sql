-- Whether a case got content since a bundle of it was last exported for the defence.
ALTER TABLE cases ADD COLUMN undisclosed BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE cases SET undisclosed = TRUE WHERE id IN (SELECT case_id FROM items WHERE object IS NOT NULL);
-- Log index of the record that closed or reopened it last.
ALTER TABLE cases ADD COLUMN turned BIGINT;
UPDATE cases SET turned = (SELECT MAX(records.log_index) FROM positions JOIN records ON records.log_index = positions.log_index
    WHERE positions.stream = 'case:' || cases.id AND records.kind IN ('case.closed', 'case.reopened'));
