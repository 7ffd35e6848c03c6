"""The statements of an edge over PostgreSQL. Those named WITHIN go into a transaction of somebody else's."""

# Returns nothing for a number that this sender used last.
NOTE_BATCH = """
INSERT INTO edge_books AS book (edge, who, last_number, last_kept, sent) VALUES ($1, $2, $3, $4::integer, $4::integer)
ON CONFLICT (edge, who) DO UPDATE SET
    last_number = excluded.last_number, last_kept = excluded.last_kept, sent = book.sent + excluded.sent
"""
LAST_BATCH = "SELECT last_number, last_kept FROM edge_books WHERE edge = $1 AND who = $2 FOR UPDATE"
COUNT_UP_TO = "SELECT count(*) FROM (SELECT FROM edge_items WHERE edge = $1 LIMIT $2) AS first_ones"
ADD_ITEMS = """
INSERT INTO edge_items (edge, body)
SELECT $1, body FROM unnest($2::bytea[]) WITH ORDINALITY AS given (body, place) ORDER BY place
"""
NOTIFY = "SELECT pg_notify('polycopy_edges', $1)"
ADD_WITHIN = """
WITH book AS (
    INSERT INTO edge_books AS book (edge, who, sent) VALUES ($1, $2, cardinality($3::bytea[]))
    ON CONFLICT (edge, who) DO UPDATE SET sent = book.sent + excluded.sent
), told AS (
    SELECT pg_notify('polycopy_edges', $1)
)
INSERT INTO edge_items (edge, body)
SELECT $1, body FROM told, unnest($3::bytea[]) WITH ORDINALITY AS given (body, place) ORDER BY place
"""

TAKE = """
WITH picked AS (
    SELECT item_id FROM edge_items WHERE edge = $1 AND consumer IS NULL
    ORDER BY item_id LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE edge_items AS item
SET consumer = $3::text, epoch = $4::bigint, claimed_until = now() + $5::float8 * interval '1 second', deliveries = 1
FROM picked WHERE item.item_id = picked.item_id
RETURNING item.item_id, item.body, item.deliveries
"""
MINE = """
SELECT item_id, body, deliveries FROM edge_items
WHERE edge = $1 AND consumer = $2 AND epoch = $3 AND item_id > $4 ORDER BY item_id LIMIT $5
"""
# Run out, or of an older epoch of the same lease: whoever had that can write nothing any more.
TAKE_OVER = """
WITH picked AS (
    SELECT item_id FROM edge_items
    WHERE edge = $1 AND consumer IS NOT NULL AND (
        (claimed_until <= now() AND (consumer, epoch) <> ($3::text, $4::bigint)) OR (consumer = $3::text AND epoch < $4::bigint)
    )
    ORDER BY item_id LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE edge_items AS item SET consumer = $3::text, epoch = $4::bigint, claimed_until = now() + $5::float8 * interval '1 second'
FROM picked WHERE item.item_id = picked.item_id
RETURNING item.item_id, item.body, item.deliveries
"""
CLAIM_OWN = """
UPDATE edge_items AS item SET
    claimed_until = CASE WHEN $6::boolean THEN '-infinity' ELSE now() + $7::float8 * interval '1 second' END,
    deliveries = coalesce(given.deliveries, item.deliveries)
FROM unnest($4::bigint[], $5::integer[]) AS given (item_id, deliveries)
WHERE item.item_id = given.item_id AND item.edge = $1 AND item.consumer = $2 AND item.epoch = $3
"""
ACKNOWLEDGE_WITHIN = """
WITH gone AS (
    DELETE FROM edge_items
    WHERE item_id = ANY ($4::bigint[]) AND edge = $1 AND consumer = $2 AND epoch = $3
    RETURNING item_id
), book AS (
    INSERT INTO edge_books AS book (edge, who, acknowledged) SELECT $1, $2, count(*) FROM gone
    ON CONFLICT (edge, who) DO UPDATE SET acknowledged = book.acknowledged + excluded.acknowledged
)
SELECT count(*) FROM gone
"""
BURY = """
WITH gone AS (
    DELETE FROM edge_items
    WHERE item_id = $4 AND edge = $1 AND consumer = $2 AND epoch = $3
    RETURNING item_id, edge, body
), letter AS (
    INSERT INTO edge_dead_letters (item_id, edge, body, deliveries, reason)
    SELECT item_id, edge, body, $5::integer, $6::text FROM gone
), book AS (
    INSERT INTO edge_books AS book (edge, who, dead) SELECT $1, $2, count(*) FROM gone
    ON CONFLICT (edge, who) DO UPDATE SET dead = book.dead + excluded.dead
)
SELECT count(*) FROM gone
"""
# The newest stay.
FORGET_DEAD = """
DELETE FROM edge_dead_letters WHERE item_id IN (
    SELECT item_id FROM edge_dead_letters WHERE edge = $1 ORDER BY item_id DESC OFFSET $2
)
"""
FIGURES = """
SELECT
    coalesce(sum(sent), 0)::bigint AS sent,
    coalesce(sum(acknowledged), 0)::bigint AS acknowledged,
    coalesce(sum(dead), 0)::bigint AS dead,
    (SELECT count(*) FROM edge_items WHERE edge = $1 AND consumer IS NULL) AS depth,
    (SELECT count(*) FROM edge_items WHERE edge = $1 AND consumer IS NOT NULL) AS in_hand
FROM edge_books WHERE edge = $1
"""
