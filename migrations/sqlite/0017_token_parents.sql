-- The token with which another one was made, also by way of a session: what ends the one ends the other.
ALTER TABLE api_tokens ADD COLUMN parent TEXT;
CREATE INDEX api_tokens_parent ON api_tokens (parent) WHERE parent IS NOT NULL;
