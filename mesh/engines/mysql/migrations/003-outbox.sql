-- Versions of profiles, and changes that are stored with what they change until the log of changes has them.
ALTER TABLE user ADD COLUMN profile_version BIGINT UNSIGNED NOT NULL DEFAULT 1;

ALTER TABLE chat_group ADD COLUMN version BIGINT UNSIGNED NOT NULL DEFAULT 1;

CREATE TABLE IF NOT EXISTS outbox (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  body VARBINARY(4096) NOT NULL
) ENGINE = InnoDB;
