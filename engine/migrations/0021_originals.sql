-- Originals on this machine are found by their bytes.

CREATE INDEX local_files_by_sha256 ON local_files (sha256);
