-- Whether somebody was ever to defend in a case. The role stands in the statement, which an envelope has in base64: "role":"defence",
-- from each of the three places at which it can begin in a group.
ALTER TABLE cases ADD COLUMN defended BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE cases SET defended = TRUE WHERE id IN (SELECT SUBSTR(r.case_stream, 6) FROM records r JOIN statements s ON s.stmt = r.stmt
    WHERE r.kind = 'member.added' AND (POSITION('InJvbGUiOiJkZWZlbmNl'::BYTEA IN s.envelope) > 0 OR POSITION('b2xlIjoiZGVmZW5j'::BYTEA IN s.envelope) > 0 OR POSITION('cm9sZSI6ImRlZmVuY2Ui'::BYTEA IN s.envelope) > 0));

-- The export for the defence that a case with content waits for.
ALTER TABLE cases ADD COLUMN disclosing BYTEA;
CREATE INDEX cases_disclosing ON cases (disclosing) WHERE disclosing IS NOT NULL;
-- Where an export was never completed, none of before counts: which one it was cannot be told from here.
UPDATE cases SET undisclosed = TRUE WHERE exports > 0 AND id IN (SELECT case_id FROM items WHERE object IS NOT NULL) AND
    (SELECT COUNT(*) FROM records WHERE kind = 'bundle.completed') < (SELECT COUNT(*) FROM records WHERE kind = 'bundle.exported');

-- When it was declined, as well as when it was carried out.
ALTER TABLE disposals RENAME COLUMN executed TO ended;
UPDATE disposals SET ended = (SELECT MIN(d.log_index) FROM records p JOIN records d ON d.kind = 'disposal.declined' AND d.log_index >
    p.log_index AND COALESCE(d.stream, d.case_stream) = COALESCE(p.stream, p.case_stream) WHERE p.record_hash = disposals.record)
    WHERE stage = 'declined';
