-- How people log in with a browser: passwords, and the sessions that come of them.

CREATE TABLE user_passwords (
    user_id uuid PRIMARY KEY REFERENCES profiles (id) ON DELETE CASCADE,
    -- argon2id in the PHC string format; parameters and salt stand in it.
    phc text NOT NULL CHECK (phc LIKE '$argon2id$%' AND length(phc) <= 300),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE web_sessions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    -- SHA-256 of the cookie's 256 random bits, which are kept nowhere; the CSRF token is derived from them.
    secret_digest bytea NOT NULL UNIQUE CHECK (length(secret_digest) = 32),
    -- How it began; one of a login URL may do less.
    kind text NOT NULL CHECK (kind IN ('password', 'login_url')),
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    user_agent text NOT NULL CHECK (length(user_agent) <= 200),
    address text NOT NULL CHECK (length(address) <= 64)
);
CREATE INDEX web_sessions_by_user ON web_sessions (user_id, created_at);

-- Changes whenever the set of sessions that hold may have changed; every engine polls it and re-reads only then.
CREATE TABLE web_session_version (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    version bigint NOT NULL DEFAULT 1
);
INSERT INTO web_session_version DEFAULT VALUES;

CREATE FUNCTION bump_web_session_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE web_session_version SET version = version + 1;
    RETURN NULL;
END
$$;
-- last_seen_at is left out: it changes all the time, and takes nobody's session away.
CREATE TRIGGER web_sessions_changed
    AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF user_id, secret_digest, kind, created_at, expires_at ON web_sessions
    FOR EACH STATEMENT EXECUTE FUNCTION bump_web_session_version();
CREATE TRIGGER profiles_changed_for_sessions
    AFTER DELETE OR TRUNCATE OR UPDATE OF user_name, is_admin, disabled_at ON profiles
    FOR EACH STATEMENT EXECUTE FUNCTION bump_web_session_version();
