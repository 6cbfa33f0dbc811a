"""Facts for routing decisions, as Hypothesis makes them."""

from hypothesis import strategies as st

from core.contract.providers import Price
from core.decide.policy import Policy, scaled
from core.decide.route import Candidate, Reach, Wanted

IDS = "abcdefgh"
COUNTRIES = st.sampled_from(["GB", "DE", "ZZ"])
amounts = st.integers(0, 400).map(lambda n: n / 10_000)
names = st.frozensets(st.sampled_from(IDS), max_size=3)
anything = st.sampled_from([0.0, 0.5, 1.0, 7.0])

wanted = st.builds(
    Wanted,
    channel=st.sampled_from(["sms", "email"]),
    country=st.one_of(st.just(""), COUNTRIES),
    parts=st.integers(1, 5),
    chars=st.integers(0, 300),
    html=st.booleans(),
)
prices = st.builds(Price, amounts, st.dictionaries(COUNTRIES, amounts, max_size=2))
candidate = st.builds(
    Candidate,
    id=st.sampled_from(IDS),
    channel=st.sampled_from(["sms", "sms", "sms", "email"]),
    enabled=st.sampled_from([True, True, True, False]),
    priority=st.integers(0, 3),
    success=st.floats(0.01, 0.99),
    latency_ms=st.floats(0, 1e5),
    price=prices,
    destinations=st.builds(Reach, *[st.frozensets(COUNTRIES, max_size=1)] * 2),
    distance_km=st.one_of(st.none(), st.floats(0, 2e4)),
    state=st.sampled_from(["up", "up", "up", "connecting", "fault: bad password"]),
    circuit=st.sampled_from(["closed", "closed", "half_open", "open"]),
    room=st.integers(-1, 3),
    paused_ms=st.sampled_from([0, 0, 0, 5000]),
    quota_left=st.one_of(st.none(), st.integers(-1, 2)),
    refused=st.booleans(),
    text_chars_max=st.sampled_from([0, 160]),
    html=st.booleans(),
)
candidates = st.lists(candidate, unique_by=lambda c: c.id, max_size=8)
policies = st.builds(
    Policy,
    name=st.sampled_from(["p", "q"]),
    version=st.integers(1, 9),
    rank=st.permutations(IDS).map(lambda order: {a: n for n, a in enumerate(order[:4])}),
    millionths=st.tuples(*[anything] * 5).filter(any).map(lambda w: scaled(*w)),
    explore=st.floats(0, 0.5),
    forbid=names,
    require=names,
    when_none=st.sampled_from(["wait", "end"]),
    price_max=st.one_of(st.none(), amounts),
    gone=st.sampled_from([(), ("x",)]),
)
chances = st.floats(0, 1, exclude_max=True)
