import math
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.rules.wallet_split import owned, owner_of

MEMBERS = st.lists(st.text("0123456789abcdef", min_size=1, max_size=32), min_size=1, max_size=12, unique=True)
WALLETS = st.integers(0, 2**160 - 1).map(lambda number: f"0x{number:040x}")


@given(WALLETS, MEMBERS, st.randoms(use_true_random=False))
def test_a_wallet_has_one_owner_whatever_the_order(wallet, members, rng):
    shuffled = list(members)
    rng.shuffle(shuffled)
    owner = owner_of(wallet, members)
    assert owner in members
    assert owner_of(wallet, shuffled) == owner
    assert [one for one in members if owned([wallet], one, shuffled)] == [owner]


@given(st.lists(WALLETS, max_size=50), MEMBERS, st.data())
def test_whoever_leaves_moves_only_his_own_wallets(wallets, members, data):
    gone = data.draw(st.sampled_from(members))
    left = [one for one in members if one != gone]
    for wallet in wallets:
        before, after = owner_of(wallet, members), owner_of(wallet, left)
        assert after == before or before == gone
        assert (after is None) == (not left)


@given(st.lists(WALLETS, max_size=50), MEMBERS, st.text("0123456789abcdef", min_size=33, max_size=40))
def test_whoever_joins_takes_wallets_only_for_himself(wallets, members, newcomer):
    for wallet in wallets:
        after = owner_of(wallet, [*members, newcomer])
        assert after in (owner_of(wallet, members), newcomer)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.integers(2, 12))
def test_nobody_has_far_more_than_his_part(seed, count):
    """Five standard deviations of a fair draw: of 3,000 wallets on four members 750 ± 119 each."""
    wallets = [f"0x{seed:08x}{number:032x}" for number in range(3_000)]
    members = [f"{seed:x}-{number}" for number in range(count)]
    part = len(wallets) / count
    bound = 5 * math.sqrt(part * (1 - 1 / count))
    owners = Counter(owner_of(wallet, members) for wallet in wallets)
    for member in members:
        assert abs(owners[member] - part) <= bound


def test_nobody_owns_anything_where_nobody_is():
    assert owner_of("0xa", []) is None
    assert owned(["0xa"], "me", []) == []
