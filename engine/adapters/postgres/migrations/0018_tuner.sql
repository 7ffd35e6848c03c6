-- The tuner: proposals for strategies under its care, their outcome, and what it noted. What it may not do, the database refuses.

ALTER TABLE ft_wallets ADD COLUMN agent_applies boolean NOT NULL DEFAULT false;

-- Bounds of domain.md §7.7, and at most three settings at once. The program has the same in actors/rules/tuner/bounds.py.
CREATE FUNCTION tuner_value_allowed(parameter text, value jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN jsonb_typeof(value) NOT IN ('string', 'number') THEN false
        WHEN value #>> '{}' !~ '^[0-9]{1,6}([.][0-9]{1,6})?$' THEN false
        ELSE CASE parameter
            WHEN 'model_threshold' THEN (value #>> '{}')::numeric BETWEEN 0.40 AND 0.75
            WHEN 'price_min' THEN (value #>> '{}')::numeric BETWEEN 0.01 AND 0.50
            WHEN 'price_max' THEN (value #>> '{}')::numeric BETWEEN 0.30 AND 0.99
            WHEN 'min_edge' THEN (value #>> '{}')::numeric BETWEEN 0 AND 0.20
            WHEN 'bet_size' THEN (value #>> '{}')::numeric BETWEEN 0.5 AND 5
            WHEN 'min_bet' THEN (value #>> '{}')::numeric BETWEEN 0.5 AND 2
            WHEN 'max_bet' THEN (value #>> '{}')::numeric BETWEEN 3 AND 15
            WHEN 'kelly_fraction' THEN (value #>> '{}')::numeric BETWEEN 0.10 AND 0.50
            WHEN 'min_trader_resolved_count' THEN (value #>> '{}')::numeric BETWEEN 10 AND 300
            WHEN 'min_conviction' THEN (value #>> '{}')::numeric BETWEEN 0 AND 3
            WHEN 'bet_allocation_weight' THEN (value #>> '{}')::numeric BETWEEN 0.5 AND 2
            ELSE false
        END
    END
$$;
CREATE FUNCTION tuner_changes_allowed(changes jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN jsonb_typeof(changes) <> 'object' THEN false ELSE (
        SELECT count(*) BETWEEN 1 AND 3 AND coalesce(bool_and(tuner_value_allowed(key, value)), false)
        FROM jsonb_each(changes)
    ) END
$$;

CREATE FUNCTION tuner_same_names(one jsonb, other jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT NOT EXISTS ((SELECT jsonb_object_keys(one)) EXCEPT (SELECT jsonb_object_keys(other)))
        AND NOT EXISTS ((SELECT jsonb_object_keys(other)) EXCEPT (SELECT jsonb_object_keys(one)))
$$;

CREATE TABLE tuner_proposals (
    proposal_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('change', 'rollback')),
    wallet_id text NOT NULL REFERENCES ft_wallets (wallet_id) ON DELETE CASCADE,
    -- Of the strategy, that the search began with.
    version integer NOT NULL,
    -- Settings as documents have them, before and after: the same names.
    before jsonb NOT NULL,
    after jsonb NOT NULL,
    evidence jsonb NOT NULL,
    -- A rollback: the proposal that it takes back.
    undoes bigint REFERENCES tuner_proposals (proposal_id) ON DELETE CASCADE,
    status text NOT NULL DEFAULT 'WAITING' CHECK (status IN (
        'WAITING', 'APPLIED', 'REJECTED', 'EXPIRED', 'REFUSED', 'IMPROVED', 'NEUTRAL', 'DEGRADED', 'ROLLED_BACK'
    )),
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    decided_by text,
    decided_at timestamptz,
    applied_version integer,
    applied_at timestamptz,
    -- What was measured a day later.
    evaluation jsonb,
    ended_at timestamptz,
    CHECK ((kind = 'rollback') = (undoes IS NOT NULL)),
    CHECK (kind = 'rollback' OR tuner_changes_allowed(after)),
    CHECK (tuner_same_names(before, after)),
    CHECK ((status = 'WAITING') = (decided_at IS NULL)),
    CHECK ((decided_at IS NULL) = (decided_by IS NULL)),
    CHECK ((status IN ('APPLIED', 'IMPROVED', 'NEUTRAL', 'DEGRADED', 'ROLLED_BACK')) = (applied_at IS NOT NULL)),
    CHECK ((applied_at IS NULL) = (applied_version IS NULL))
);
-- One undecided proposal a strategy, and one under evaluation.
CREATE UNIQUE INDEX tuner_proposals_waiting ON tuner_proposals (wallet_id) WHERE status = 'WAITING';
CREATE UNIQUE INDEX tuner_proposals_evaluated ON tuner_proposals (wallet_id) WHERE status = 'APPLIED' AND kind = 'change';
CREATE INDEX tuner_proposals_by_wallet ON tuner_proposals (wallet_id, proposal_id DESC);

CREATE TABLE tuner_notes (
    note_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    wallet_id text NOT NULL REFERENCES ft_wallets (wallet_id) ON DELETE CASCADE,
    -- UTC day of the look.
    day date NOT NULL,
    kind text NOT NULL CHECK (kind IN ('observation', 'hypothesis')),
    text text NOT NULL,
    figures jsonb NOT NULL,
    -- End of the validation part that was looked at; null where none was. The next look's level is divided by how many.
    validated_until timestamptz,
    proposal_id bigint REFERENCES tuner_proposals (proposal_id) ON DELETE SET NULL,
    outcome text,
    created_at timestamptz NOT NULL DEFAULT now(),
    outcome_at timestamptz,
    UNIQUE (wallet_id, day, kind)
);
CREATE INDEX tuner_notes_by_proposal ON tuner_notes (proposal_id);

-- Whether the tuner may touch a strategy now.
CREATE FUNCTION tuner_cares_for(wanted text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1 FROM ft_wallets WHERE wallet_id = wanted AND agent_managed AND is_active AND archived_at IS NULL
    )
$$;
-- Whether it has to leave a strategy alone, since a proposal for it was decided less than seven days ago. What was refused or ran
-- out of the tuner's care was no change and nobody's decision.
CREATE FUNCTION tuner_cools_down(wanted text, but bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1 FROM tuner_proposals
        WHERE wallet_id = wanted AND proposal_id <> but AND status NOT IN ('WAITING', 'REFUSED')
            AND greatest(decided_at, CASE WHEN status = 'ROLLED_BACK' THEN ended_at END) > now() - interval '7 days'
    )
$$;

CREATE FUNCTION tuner_guard_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    undone tuner_proposals%ROWTYPE;
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.kind, NEW.wallet_id, NEW.version, NEW.before, NEW.after, NEW.created_at, NEW.evidence)
            IS DISTINCT FROM (OLD.kind, OLD.wallet_id, OLD.version, OLD.before, OLD.after, OLD.created_at, OLD.evidence) THEN
        RAISE check_violation USING MESSAGE = 'a proposal is not rewritten', CONSTRAINT = 'tuner_rewritten';
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.status <> OLD.status AND NOT (
        OLD.status = 'WAITING' AND NEW.status IN ('APPLIED', 'REJECTED', 'EXPIRED', 'REFUSED')
        OR OLD.status = 'APPLIED' AND OLD.kind = 'change' AND NEW.status IN ('IMPROVED', 'NEUTRAL', 'DEGRADED', 'ROLLED_BACK')
        OR OLD.status = 'DEGRADED' AND NEW.status = 'ROLLED_BACK'
    ) THEN
        RAISE check_violation USING
            MESSAGE = format('no proposal goes from %s to %s', OLD.status, NEW.status), CONSTRAINT = 'tuner_status';
    END IF;
    IF TG_OP = 'INSERT' AND NEW.status <> 'WAITING' THEN
        RAISE check_violation USING MESSAGE = 'a proposal begins undecided', CONSTRAINT = 'tuner_status';
    END IF;
    IF NOT (TG_OP = 'INSERT' OR OLD.status = 'WAITING' AND NEW.status = 'APPLIED') THEN
        RETURN NEW;
    END IF;
    IF NOT tuner_cares_for(NEW.wallet_id) THEN
        RAISE check_violation USING
            MESSAGE = format('%s is not under the care of the tuner', NEW.wallet_id), CONSTRAINT = 'tuner_care';
    END IF;
    IF NEW.kind = 'change' AND tuner_cools_down(NEW.wallet_id, NEW.proposal_id) THEN
        RAISE check_violation USING MESSAGE = format('%s cools down', NEW.wallet_id), CONSTRAINT = 'tuner_cool_down';
    END IF;
    IF NEW.kind = 'change' AND NOT EXISTS (
        SELECT 1 FROM ft_wallet_versions
        WHERE wallet_id = NEW.wallet_id AND version = NEW.version AND settings @> NEW.before
    ) THEN
        RAISE check_violation USING MESSAGE = 'a proposal says what was before it', CONSTRAINT = 'tuner_before';
    END IF;
    IF NEW.kind = 'rollback' THEN
        SELECT * INTO undone FROM tuner_proposals WHERE proposal_id = NEW.undoes;
        IF undone.wallet_id IS DISTINCT FROM NEW.wallet_id OR undone.before IS DISTINCT FROM NEW.after THEN
            RAISE check_violation USING MESSAGE = 'a rollback takes back what it names', CONSTRAINT = 'tuner_rollback';
        END IF;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF NOT EXISTS (
            SELECT 1 FROM ft_wallet_versions JOIN ft_wallets USING (wallet_id, version)
            WHERE wallet_id = NEW.wallet_id AND version = NEW.applied_version
                AND changed_by LIKE format('tuner proposal %s, %%', NEW.proposal_id)
        ) THEN
            RAISE check_violation USING MESSAGE = 'what is applied has its version', CONSTRAINT = 'tuner_version';
        END IF;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER tuner_proposals_guarded BEFORE INSERT OR UPDATE ON tuner_proposals
    FOR EACH ROW EXECUTE FUNCTION tuner_guard_proposal();

-- The outcome of a proposal is that of its hypothesis.
CREATE FUNCTION tuner_note_outcome() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tuner_notes SET outcome = NEW.status, outcome_at = now()
    WHERE proposal_id = NEW.proposal_id AND kind = 'hypothesis';
    RETURN NULL;
END
$$;
CREATE TRIGGER tuner_proposals_decided AFTER UPDATE OF status ON tuner_proposals
    FOR EACH ROW WHEN (NEW.status IS DISTINCT FROM OLD.status) EXECUTE FUNCTION tuner_note_outcome();

CREATE FUNCTION tuner_guard_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM ft_wallets WHERE wallet_id = NEW.wallet_id AND agent_managed AND archived_at IS NULL) THEN
        RAISE check_violation USING
            MESSAGE = format('%s is not under the care of the tuner', NEW.wallet_id), CONSTRAINT = 'tuner_care';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER tuner_notes_guarded BEFORE INSERT ON tuner_notes FOR EACH ROW EXECUTE FUNCTION tuner_guard_note();

-- A version in the tuner's name is one of its proposals, word for word, of a strategy under its care; where a live strategy
-- mirrors it, or it does not let the tuner apply anything, a person has said so.
CREATE FUNCTION tuner_guard_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    claimed text[] := regexp_match(NEW.changed_by, '^tuner proposal ([0-9]{1,18}), (.+)$');
    known tuner_proposals%ROWTYPE;
    previous jsonb;
    wanted jsonb;
    is_ours boolean;
BEGIN
    SELECT * INTO known FROM tuner_proposals WHERE proposal_id = claimed[1]::bigint AND wallet_id = NEW.wallet_id;
    SELECT settings INTO previous FROM ft_wallet_versions WHERE wallet_id = NEW.wallet_id AND version = NEW.version - 1;
    wanted := CASE
        WHEN known.status = 'WAITING' THEN known.after
        WHEN known.status IN ('APPLIED', 'DEGRADED') AND claimed[2] = 'rolled back by the tuner' THEN known.before
    END;
    is_ours := claimed[2] IN ('applied by the tuner', 'rolled back by the tuner');
    -- Name by name: a version from before an update of the program lacks what came with it.
    IF known.proposal_id IS NULL OR wanted IS NULL OR previous IS NULL OR EXISTS (
        SELECT 1 FROM jsonb_each(previous || wanted) AS said WHERE NEW.settings -> said.key IS DISTINCT FROM said.value
    ) THEN
        RAISE check_violation USING MESSAGE = 'the tuner changes what it proposed, nothing else', CONSTRAINT = 'tuner_version';
    END IF;
    IF NOT EXISTS (
        SELECT 1 FROM ft_wallets WHERE wallet_id = NEW.wallet_id AND agent_managed AND archived_at IS NULL
    ) THEN
        RAISE check_violation USING
            MESSAGE = format('%s is not under the care of the tuner', NEW.wallet_id), CONSTRAINT = 'tuner_care';
    END IF;
    IF is_ours AND EXISTS (SELECT 1 FROM lt_strategies WHERE ft_wallet_id = NEW.wallet_id AND is_active) THEN
        RAISE check_violation USING
            MESSAGE = format('a live strategy mirrors %s: a person decides', NEW.wallet_id), CONSTRAINT = 'tuner_live';
    END IF;
    IF claimed[2] = 'applied by the tuner' AND NOT (previous @> '{"agent_applies": true}') THEN
        RAISE check_violation USING
            MESSAGE = format('%s does not let the tuner apply anything', NEW.wallet_id), CONSTRAINT = 'tuner_applies';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER ft_wallet_versions_of_the_tuner BEFORE INSERT ON ft_wallet_versions
    FOR EACH ROW WHEN (NEW.changed_by LIKE 'tuner proposal %') EXECUTE FUNCTION tuner_guard_version();
