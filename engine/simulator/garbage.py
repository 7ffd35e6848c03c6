"""Frames that a reader must survive; each was seen on the wire, or found by fuzzing a JSON parser."""

_ROW = (
    '{"asset":"72551024098258542594534682943523606143014690620243023298497729957846870197074",'
    '"conditionId":"0x1d8720896546460a48d4f7fd5b3f0705a8d427921222de498d1cd334d4890c52","outcome":"No","outcomeIndex":1,'
    '"price":%s,"proxyWallet":%s,"side":%s,"size":%s,"slug":"garbage","timestamp":%s,"title":%s,'
    '"transactionHash":"0x00000000000000000000000000000000000000000000000000000000000bad00"}'
)
_ENVELOPE = '{"connection_id":"garbage=","payload":%s,"timestamp":1787102287053,"topic":"activity","type":"trades"}'
_GOOD = {
    "price": "0.5",
    "wallet": '"0x000000000000000000000000000000000000bad0"',
    "side": '"BUY"',
    "size": "1",
    "timestamp": "1787102287",
    "title": '"garbage"',
}


def _row_with(**changed: str) -> str:
    values = _GOOD | changed
    order = ("price", "wallet", "side", "size", "timestamp", "title")
    return _ENVELOPE % (_ROW % tuple(values[name] for name in order))


GARBAGE: dict[str, str | bytes] = {
    "empty": "",
    "not_json": "<html><body>502 Bad Gateway</body></html>",
    "torn": _row_with()[:200],
    "array": "[]",
    "array_of_rows": f"[{_row_with()}]",
    "number": "42",
    "text": '"payload"',
    "null": "null",
    "nan_price": _row_with(price="NaN"),
    "infinite_size": _row_with(size="1e999"),
    "negative_size": _row_with(size="-3"),
    "zero_size": _row_with(size="0"),
    "price_above_one": _row_with(price="1.7"),
    "price_object": _row_with(price='{"value":0.5}'),
    "side_number": _row_with(side="1"),
    "unknown_side": _row_with(side='"HOLD"'),
    "wallet_null": _row_with(wallet="null"),
    "timestamp_text": _row_with(timestamp='"yesterday"'),
    "timestamp_far": _row_with(timestamp="99999999999999999999"),
    "payload_list": _ENVELOPE % "[1,2,3]",
    "payload_text": _ENVELOPE % '"payload"',
    "payload_null": _ENVELOPE % "null",
    "no_payload": '{"topic":"activity","type":"trades"}',
    "deep": _ENVELOPE % ("[" * 5_000 + "]" * 5_000),
    "deep_open": "[" * 100_000,
    "bom": "\ufeff{}",
    "duplicate_keys": '{"topic":"activity","topic":"comments","payload":{}}',
    "binary": b"\x00\xff\xfe\x80garbage",
    "binary_row": _row_with(wallet='"0x000000000000000000000000000000000000bad1"').encode()[:-1],
    "utf16": "{}".encode("utf-16"),
    "huge": _row_with(title='"' + "x" * 2_000_000 + '"'),
    # A name never costs a trade: these two are rows to keep, with the character replaced.
    "surrogate_title": _row_with(title='"lone \\ud800 surrogate"'),
    "nul_title": _row_with(title='"nul \\u0000 inside"'),
}
"""Messages by name: text frames as `str`, binary ones as `bytes`."""
