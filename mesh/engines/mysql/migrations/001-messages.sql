-- Runs of consecutive messages, as the MessageStore port has them. "day" is the UTC day (days since 1970) on which the
-- log took the first message. MySQL wants the partitioning column in every unique key, so the key does not keep a seq
-- from being stored on two days: that only the owner of a partition commits, by compare-and-set on partition_progress,
-- does.
CREATE TABLE IF NOT EXISTS message_run (
  conversation BINARY(16) NOT NULL,
  first_seq BIGINT UNSIGNED NOT NULL,
  day INT UNSIGNED NOT NULL,
  message_count SMALLINT UNSIGNED NOT NULL,
  crc INT UNSIGNED NOT NULL,
  body MEDIUMBLOB NOT NULL,
  PRIMARY KEY (conversation, first_seq, day)
) ENGINE = InnoDB
PARTITION BY RANGE (day) (PARTITION later VALUES LESS THAN MAXVALUE);

-- Dedupe rows. "day" is that of the time in the id, a function of the id, so the key is unique over all days.
CREATE TABLE IF NOT EXISTS send (
  client_message_id BINARY(16) NOT NULL,
  conversation BINARY(16) NOT NULL,
  sender BIGINT UNSIGNED NOT NULL,
  day INT UNSIGNED NOT NULL,
  seq BIGINT UNSIGNED NOT NULL,
  digest BIGINT UNSIGNED NOT NULL,
  logged_time_ms BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (client_message_id, conversation, sender, day)
) ENGINE = InnoDB
PARTITION BY RANGE (day) (PARTITION later VALUES LESS THAN MAXVALUE);

CREATE TABLE IF NOT EXISTS conversation_head (
  conversation BINARY(16) NOT NULL PRIMARY KEY,
  head_seq BIGINT UNSIGNED NOT NULL
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS member (
  conversation BINARY(16) NOT NULL,
  user BIGINT UNSIGNED NOT NULL,
  role INT NOT NULL,
  join_seq BIGINT UNSIGNED NOT NULL,
  leave_seq BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (conversation, user),
  KEY member_user (user, conversation)
) ENGINE = InnoDB;

-- "commits" moves with every commit, so that a matched row always counts as a changed one.
CREATE TABLE IF NOT EXISTS partition_progress (
  partition_id INT UNSIGNED NOT NULL PRIMARY KEY,
  next_offset BIGINT UNSIGNED NOT NULL,
  epoch BIGINT UNSIGNED NOT NULL,
  commits BIGINT UNSIGNED NOT NULL
) ENGINE = InnoDB;
