-- What was made from other items of a case, to be found when one of these is destroyed or better protected.
CREATE INDEX items_derived ON items (case_id, exhibit) WHERE derived IS NOT NULL;
