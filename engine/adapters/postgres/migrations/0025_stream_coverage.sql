-- So that pollers of other processes need not ask the venue for trades that the stream has brought.

-- For how long the stream had missed nothing, at the last heartbeat; null while it may have, and of one that does not listen.
ALTER TABLE cluster_members ADD COLUMN stream_covered_s double precision CHECK (stream_covered_s >= 0);
