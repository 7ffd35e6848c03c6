-- Trained models, which one judges, and how they do afterwards.

CREATE TABLE score_models (
    model_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL CHECK (kind IN ('logistic', 'boosted')),
    feature_version integer NOT NULL CHECK (feature_version > 0),
    feature_names text[] NOT NULL CHECK (cardinality(feature_names) BETWEEN 1 AND 1000),
    -- JSON of ours, read strictly by whoever uses it.
    document text NOT NULL CHECK (octet_length(document) <= 2097152),
    figures text NOT NULL CHECK (octet_length(figures) <= 262144),
    -- Times of the first and the last trade, of both parts.
    data_from timestamptz NOT NULL,
    data_until timestamptz NOT NULL CHECK (data_until >= data_from),
    seed bigint NOT NULL,
    code_version text NOT NULL CHECK (length(code_version) <= 100),
    libraries jsonb NOT NULL,
    seconds double precision NOT NULL CHECK (seconds >= 0)
);

-- What was activated, or that nothing is: the last row counts. Rows are never changed.
CREATE TABLE score_model_switches (
    switch_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_id bigint REFERENCES score_models (model_id),
    switched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    by text NOT NULL CHECK (length(by) BETWEEN 1 AND 200),
    reason text NOT NULL DEFAULT '' CHECK (length(reason) <= 2000)
);
CREATE FUNCTION keep_score_model_switches() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'switches of models are never changed' USING ERRCODE = 'check_violation';
END
$$;
CREATE TRIGGER score_model_switches_stay
    BEFORE UPDATE OR DELETE ON score_model_switches
    FOR EACH ROW EXECUTE FUNCTION keep_score_model_switches();

-- The last look at a model.
CREATE TABLE score_model_drift (
    model_id bigint PRIMARY KEY REFERENCES score_models (model_id) ON DELETE CASCADE,
    checked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    figures text NOT NULL CHECK (octet_length(figures) <= 262144)
);
