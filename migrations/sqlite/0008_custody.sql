-- Until when an offer of custody waits, and what put on the seal that an item carries.
ALTER TABLE items ADD COLUMN offer_expires BIGINT;
ALTER TABLE items ADD COLUMN seal_record BLOB;
ALTER TABLE items ADD COLUMN seal_stmt BLOB;
CREATE INDEX items_offer_expires ON items (offer_expires, id) WHERE offer_expires IS NOT NULL;
