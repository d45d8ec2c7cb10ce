-- Of an offer with carriers: who they are, how many have it or had it, and whose word it waits for.
ALTER TABLE items ADD COLUMN carriage TEXT;
ALTER TABLE items ADD COLUMN offer_waits_for TEXT;
CREATE INDEX items_offer_waits_for ON items (offer_waits_for) WHERE offer_waits_for IS NOT NULL;
