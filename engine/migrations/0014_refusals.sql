-- What was refused is kept apart from what was done, so that it pushes nothing of that out of the audit log.
ALTER TABLE audit ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
UPDATE audit SET refused = 1 WHERE json_extract(detail, '$.status') >= 400;
CREATE INDEX audit_by_outcome ON audit (refused, seq);
