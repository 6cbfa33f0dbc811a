"""Mixtures of faults around chains of them (`core.sim.chainplan`): what chance does not meet."""

from core.sim.profile import Profile

DIRECTED: dict[str, Profile] = {
    # Hand-overs that do not come to their end.
    "given_up": Profile(
        1.0,
        (1, 1, 3),
        (2, 3),
        {"crash": 1},
        chains=("given_up",),
        busy=40,
        shares={"scheduled": (0.0, 0.1)},
    ),
    # Hand-overs to somebody who stops before anything was begun, of much that is in doubt.
    "given_gone": Profile(
        1.0,
        (1, 3),
        (3,),
        {"freeze": 1},
        answer_lost=(0.5, 0.7),
        chains=("given_then_gone",),
        busy=30,
        shares={"keyed": (0.0, 0.2), "careful": (0.0, 0.3), "scheduled": (0.0, 0.5)},
    ),
    # Clocks as far apart as they may be, near regions, and leases that cannot be renewed while
    # there is much to tell: what epsilon is for.
    "lapses": Profile(
        1.0,
        (3,),
        (2, 3),
        {"freeze": 1},
        drift=0.029,
        clocks_apart=True,
        far_s=(0.001, 0.004),
        crash_at_write=(0.0,),
        chains=("lapsing",),
        busy=5,
    ),
    # A region is lost of which the next owner's region missed the last seconds.
    "holes": Profile(
        1.0,
        (3,),
        (1, 2),
        {"crash": 1},
        no=(0.05, 0.3),
        answer_lost=(0.5, 0.7),
        replicas=(1,),
        chains=("hole",),
        busy=20,
        shares={"keyed": (0.0, 0.2), "careful": (0.0, 0.3), "globally": (0.6, 1.0)},
    ),
    # A region is lost for good that had just been apart. What is of a local lane goes with it, so
    # there is none.
    "gone_for_good": Profile(
        1.0,
        (3,),
        (1, 2),
        {"crash": 1},
        replicas=(1,),
        hint_window_s=0.2,
        chains=("gone",),
        busy=30,
        events=0.0,
        shares={
            "globally": (1.0,),
            "spooled": (0.0,),
            "cancels": (0.0,),
            "chains": (0.0,),
        },
    ),
    # Receipts come in about when the answers do, in other regions than the owner's, and rows of one
    # region's level go nowhere from there.
    "receipts": Profile(
        1.0,
        (3,),
        (1, 2),
        {"crash": 1},
        no=(0.05,),
        answer_lost=(0.05, 0.3),
        store=0.5,
        replicas=(1,),
        hint_window_s=0.1,
        readers=True,
        alone=(0.5,),
        far_reads=0.0,
        receipt_first=(0.9,),
        burst=20,
    ),
    # An owner that does not hear that it is none any more writes on beside the next one.
    "stale": Profile(
        1.0,
        (3,),
        (1,),
        {"freeze": 1},
        crash_at_write=(0.0,),
        chains=("stale",),
        busy=8,
    ),
}
