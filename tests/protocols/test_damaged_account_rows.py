"""Whatever arrives instead of a page about accounts: a page, or an answer that may be better later."""

import json

from account_samples import CLOSED_V1, DECODERS, HELD_V1, REDEEM_V1, STANDING_V1, TRADE_V1, encoded, rows_of, understood
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY
from property.made_trades import JSON_VALUES
from test_rtds_frames import RAW_VALUES

from protocols.errors import TransientError


@MANY
@given(body=st.one_of(st.binary(), st.text().map(str.encode), JSON_VALUES.map(encoded)))
def test_any_body_is_a_page_or_transient(body):
    for decode in DECODERS:
        try:
            page = decode(body)
        except TransientError:
            continue
        assert understood(page) + page.malformed.total() == page.rows_sent


@MANY
@given(
    template=st.sampled_from([HELD_V1, CLOSED_V1, TRADE_V1, REDEEM_V1, STANDING_V1]),
    names=st.lists(st.sampled_from(sorted(HELD_V1 | CLOSED_V1 | TRADE_V1 | STANDING_V1)), max_size=3),
    values=st.lists(RAW_VALUES, max_size=3),
)
def test_one_damaged_row_never_costs_the_page(template, names, values):
    members = {name: json.dumps(value) for name, value in template.items()} | dict(zip(names, values, strict=False))
    damaged = "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in members.items()) + "}"
    body = f"[{damaged},{json.dumps(template)}]".encode("utf-8", "surrogatepass")
    for decode in DECODERS:
        try:
            page = decode(body)
        except TransientError:
            continue
        assert page.rows_sent == 2
        assert understood(page) + page.malformed.total() == 2
        for row in rows_of(page):
            json.loads(getattr(row, "raw", "{}"), parse_int=str)
