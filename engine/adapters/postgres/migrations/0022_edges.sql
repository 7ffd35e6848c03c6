-- Edges between processes that must lose nothing: what one part of the engine hands to another, in the sender's own transaction.

CREATE TABLE edge_items (
    item_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The edge and, where it is sharded, the shard.
    edge text NOT NULL,
    body bytea NOT NULL,
    added_at timestamptz NOT NULL DEFAULT now(),
    -- How often it was handed to a reader.
    deliveries integer NOT NULL DEFAULT 0 CHECK (deliveries >= 0),
    -- Whose it is, and until when nobody else takes it over; null: nobody has taken it.
    consumer text,
    -- Of the consumer's lease. A higher one under the same name takes over at once.
    epoch bigint,
    claimed_until timestamptz,
    CHECK ((consumer IS NULL) = (epoch IS NULL) AND (consumer IS NULL) = (claimed_until IS NULL))
);
CREATE INDEX edge_items_waiting ON edge_items (edge, item_id) WHERE consumer IS NULL;
CREATE INDEX edge_items_taken ON edge_items (edge, consumer, item_id) WHERE consumer IS NOT NULL;

-- Items that nobody could handle, for people to look at.
CREATE TABLE edge_dead_letters (
    item_id bigint PRIMARY KEY,
    edge text NOT NULL,
    body bytea NOT NULL,
    deliveries integer NOT NULL,
    reason text NOT NULL,
    died_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX edge_dead_letters_by_edge ON edge_dead_letters (edge, item_id);

-- What each sender and consumer has done. A row is written by the one that it names, so that nobody waits for another's transaction.
CREATE TABLE edge_books (
    edge text NOT NULL,
    who text NOT NULL,
    -- The last batch of a sender and how much of it was kept: offered again, it is answered again.
    last_number bigint NOT NULL DEFAULT 0,
    last_kept integer NOT NULL DEFAULT 0,
    sent bigint NOT NULL DEFAULT 0,
    acknowledged bigint NOT NULL DEFAULT 0,
    dead bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (edge, who)
);
