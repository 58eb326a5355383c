-- When the secrets of a storage were given the last time, by a consent or by hand; null if that was before this was kept.
ALTER TABLE storages ADD COLUMN consented_at TEXT;
-- When its token was renewed the last time; null if it was not since.
ALTER TABLE storages ADD COLUMN renewed_at TEXT;
