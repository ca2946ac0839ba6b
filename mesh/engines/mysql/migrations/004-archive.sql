-- The catalogue of the archive, as the ArchiveSource port has it: a row a partition of message_run, by the last day in
-- it. The row stays when the partition is dropped.
CREATE TABLE IF NOT EXISTS archive_day (
  day INT UNSIGNED NOT NULL PRIMARY KEY,
  step VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  after_conversation BINARY(16) NULL,
  after_seq BIGINT UNSIGNED NOT NULL,
  copied_time_ms BIGINT UNSIGNED NOT NULL,
  recopies INT UNSIGNED NOT NULL,
  messages BIGINT UNSIGNED NOT NULL,
  bytes BIGINT UNSIGNED NOT NULL,
  digest CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  archived_time_ms BIGINT UNSIGNED NOT NULL
) ENGINE = InnoDB;

-- One row. Whoever commits messages of a day that may be closed counts up first; who drops a day locks the row, so that
-- nothing can come between the last look at the day and its drop.
CREATE TABLE IF NOT EXISTS archive_late (
  id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  commits BIGINT UNSIGNED NOT NULL
) ENGINE = InnoDB;

INSERT IGNORE INTO archive_late VALUES (1, 0);
