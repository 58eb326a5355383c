-- What is home, in the order in which it was taken.

-- When the item was taken, in whole seconds since 1970 (-1099511627776 if nobody knows); null until its bytes are stored, and of
-- a clip.
ALTER TABLE copies ADD COLUMN taken INTEGER;
-- 1 for a video, and 2 more for the original; null until its bytes are stored, and of a clip.
ALTER TABLE copies ADD COLUMN class INTEGER;
UPDATE copies SET (taken, class) = (
        SELECT COALESCE(MAX(remotes.taken_at / 1000000, -62135596800), -1099511627776),
            (remotes.mime_type LIKE 'video/%') + 2 * (contents.fidelity = 'original')
        FROM plans JOIN storages ON storages.id = plans.storage_id
        JOIN remotes ON remotes.asset_id = copies.asset_id AND remotes.storage = storages.no
        JOIN contents ON contents.asset_id = copies.asset_id AND contents.part = 0 AND contents.sha256 = copies.sha256
        WHERE plans.no = copies.plan LIMIT 1)
    WHERE part = 0 AND sha256 IS NOT NULL;
-- A timeline is read along four stretches of it, one for each class.
CREATE INDEX copies_by_taken ON copies (plan, class, taken, asset_id) WHERE class IS NOT NULL;
