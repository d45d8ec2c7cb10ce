-- The host that a passkey answers to; for those made before this was kept it is learned when they are next used.
ALTER TABLE passkeys ADD COLUMN host TEXT;
CREATE INDEX challenges_person ON challenges (person, kind) WHERE person IS NOT NULL;
