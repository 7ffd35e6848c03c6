-- Who may call the API: users that can be shut out, and their tokens.

ALTER TABLE profiles ADD COLUMN disabled_at timestamptz;

CREATE TABLE api_tokens (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    -- SHA-256 of the token, which is shown once and kept nowhere.
    token_digest bytea NOT NULL UNIQUE CHECK (length(token_digest) = 32),
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'trade', 'admin']),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX api_tokens_by_user ON api_tokens (user_id, created_at);

-- Changes whenever the set of valid tokens may have changed; every engine polls it and re-reads only then.
CREATE TABLE token_version (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    version bigint NOT NULL DEFAULT 1
);
INSERT INTO token_version DEFAULT VALUES;

CREATE FUNCTION bump_token_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE token_version SET version = version + 1;
    RETURN NULL;
END
$$;
CREATE TRIGGER api_tokens_changed
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON api_tokens
    FOR EACH STATEMENT EXECUTE FUNCTION bump_token_version();
CREATE TRIGGER profiles_changed
    AFTER DELETE OR TRUNCATE OR UPDATE OF user_name, disabled_at ON profiles
    FOR EACH STATEMENT EXECUTE FUNCTION bump_token_version();
