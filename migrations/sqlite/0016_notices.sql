-- Up to where each channel was told what the log says: the log index of the next record to look at.
CREATE TABLE notice_channels (
    channel  TEXT   NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL
);
