-- Log index since which nothing that a person says counts.
ALTER TABLE persons ADD COLUMN suspended BIGINT;
