import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY

from config.describe import settings, toml_template
from config.toml_edit import TomlEditError, edited, value_at

COMMENTED = """\
# head  ☕
[http]
port = 9_000   # our port

# about prices
[ prices ]  # the cache
# ttl of prices
# ttl_ms = 2000
batch_window_ms   =  5.0 # five
  write_interval_s=0x7

# about logging
[logging]
level = 'info'
"""


def lines_of(text):
    return text.splitlines(keepends=True)


def added(before, after):
    """The lines that are new, and those that are gone."""
    return (
        [line for line in lines_of(after) if line not in lines_of(before)],
        [line for line in lines_of(before) if line not in lines_of(after)],
    )


@pytest.mark.parametrize(
    ("path", "value", "new", "gone"),
    [
        ("prices.batch_window_ms", 7, "batch_window_ms   =  7 # five\n", "batch_window_ms   =  5.0 # five\n"),
        ("prices.write_interval_s", 1.5, "  write_interval_s=1.5\n", "  write_interval_s=0x7\n"),
        ("http.port", 1, "port = 1   # our port\n", "port = 9_000   # our port\n"),
        ("logging.level", "debug", 'level = "debug"\n', "level = 'info'\n"),
        ("prices.batch_window_ms", None, None, "batch_window_ms   =  5.0 # five\n"),
        ("prices.ttl_ms", 1500, "ttl_ms = 1500\n", None),
        ("logging.format", "json", 'format = "json"\n', None),
    ],
)
def test_one_line_changes_and_every_other_stays(path, value, new, gone):
    after = edited(COMMENTED, {path: value})
    assert added(COMMENTED, after) == ([new] if new else [], [gone] if gone else [])
    assert value_at(after, path) == value


def test_a_new_setting_stands_below_the_line_that_shows_its_default():
    lines = lines_of(edited(COMMENTED, {"prices.ttl_ms": 1500}))
    assert lines[lines.index("ttl_ms = 1500\n") - 1] == "# ttl_ms = 2000\n"
    lines = lines_of(edited(COMMENTED, {"prices.markets_max": 150}))
    assert lines[lines.index("markets_max = 150\n") - 1] == "  write_interval_s=0x7\n"
    assert lines[lines.index("markets_max = 150\n") + 1] == "\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing but this",
        "channels.raw_trades.capacity = 5\n[http]\nport = 1\n",
        "channels.raw_trades.capacity = 5 # top\n",
        "channels = { raw_trades = {capacity = 5} } # all\n[http]\nport = 1\n",
        "[channels]\nwriter = { shed_above = 3 } # one\n",
        "[channels]\nraw_trades.capacity = 5\nwriter.shed_above = 2\n\n[http]\nport = 1\n",
        "[channels.writer]\nshed_above = 4\n[http]\nport = 1\n[channels.raw_trades]\ncapacity = 7",
        "[channels.raw_trades]\ncapacity = 7\n[http]\nport = 1\n[channels.intents]\ncapacity = 8\n",
        "[channels.writer]\n# shed_above = 4\n",
        '[channels."writer"]\nshed_above = 4\n',
        "[channels.writer]",
        "[channels.'writer'] # odd\n\n\n",
        "\t[channels . writer]\t\n\tshed_above = 4\n",
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_every_form_of_a_table_can_be_changed_and_put_back(text, newline):
    text = text.replace("\n", newline)
    before = tomllib.loads(text)
    after = edited(text, {"channels.writer.capacity": 4_000})
    assert value_at(after, "channels.writer.capacity") == 4_000
    for line in lines_of(text):
        assert line.rstrip("\r\n") in after or "{" in line, "nothing that stood there is gone"
    again = edited(after, {"channels.writer.capacity": 5_000})
    back = edited(again, {"channels.writer.capacity": None})
    left = tomllib.loads(back)
    left.setdefault("channels", {}).setdefault("writer", {})
    before.setdefault("channels", {}).setdefault("writer", {})
    assert left == before
    if "\r\n" in text:
        assert after.count("\n") == after.count("\r\n")
        assert back.count("\n") == back.count("\r\n")


def test_what_looks_like_a_section_inside_of_a_text_is_not_one():
    text = '[http]\nnote = """\n[prices]\n# ttl_ms = 2000\n"""\nhosts = [\n  "a", # first\n  "[prices]",\n]\n'
    after = edited(text, {"prices.ttl_ms": 300, "http.port": 5})
    wanted = tomllib.loads(text)
    wanted["http"]["port"] = 5
    assert tomllib.loads(after) == wanted | {"prices": {"ttl_ms": 300}}
    assert '  "a", # first\n  "[prices]",\n]\n' in after


def test_an_array_of_several_lines_is_not_cut_open():
    text = "[prices]\nmarkets = [\n  1, # one\n  2,\n] # end\n[http]\nport=1\n"
    after = edited(text, {"prices.ttl_ms": 300})
    assert tomllib.loads(after)["prices"] == {"markets": [1, 2], "ttl_ms": 300}
    assert "  1, # one\n  2,\n] # end\n" in after


def test_a_value_that_stays_the_same_leaves_the_text_alone():
    assert edited(COMMENTED, {"http.port": 9_000, "prices.markets_max": None}) == COMMENTED


def test_a_key_in_the_way_is_refused():
    with pytest.raises(TomlEditError, match="no table"):
        edited("prices = 5\n", {"prices.ttl_ms": 1})
    with pytest.raises(tomllib.TOMLDecodeError):
        edited("prices = \n", {"prices.ttl_ms": 1})


def test_what_utf_8_cannot_write_is_refused():
    with pytest.raises(TomlEditError):
        edited("", {"venue.user_agent": "\ud800"})


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_the_file_that_init_writes_keeps_each_of_its_lines(newline):
    template = toml_template().replace("\n", newline)
    chosen = {info.path: info.default for info in settings() if not info.is_secret and info.path.count(".") > 1}
    after = edited(template, chosen)
    assert [line for line in lines_of(after) if line.startswith(("#", "["))] == [
        line for line in lines_of(template) if line.startswith(("#", "["))
    ]
    assert len(lines_of(after)) == len(lines_of(template)) + len(chosen)
    assert edited(after, dict.fromkeys(chosen)) == template


NAMES = st.sampled_from(["prices.ttl_ms", "prices.x", "channels.writer.capacity", "channels.a.b", "logging.level"])
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(2**62), 2**62), st.floats(allow_nan=False), st.text())
PIECES = st.lists(
    st.sampled_from(
        [
            "[prices]\nttl_ms = 5 # five\n",
            "[channels.writer]\ncapacity = 1\n",
            "[channels.a]\n# b = 3\nc = [ # c\n 1,\n]\n",
            "[logging]\n",
            "[http]\nport = 1 # é\n\n",
            "[channels]\n",
            "[other]\nchannels.writer = { capacity = 5 }\n",
            '[texts]\na = """\n[prices]\nttl_ms = 3\n"""\n',
        ]
    ),
    unique=True,
)


@MANY
@given(pieces=PIECES, changes=st.dictionaries(NAMES, VALUES, max_size=5))
def test_what_a_file_says_changes_in_these_settings_and_in_no_other(pieces, changes):
    text = "# first\n" + "# between\n".join(pieces)
    after = edited(text, changes)
    was, tree = tomllib.loads(text), tomllib.loads(after)
    for path, value in changes.items():
        *above, name = path.split(".")
        for side in (was, tree):
            for step in above:
                side = side.setdefault(step, {})
            if side is not None and value is None:
                side.pop(name, None)
        place = was
        for step in above:
            place = place[step]
        if value is not None:
            place[name] = value
    assert tree == was
    for comment in ("# first", "# between", "# c\n", "# é", "# b = 3"):
        assert after.count(comment) >= text.count(comment)
