"""Mixtures for what is rare elsewhere: limits that are reached, answers that come late, operators
and clients who ask for what cannot be. Part of `core.sim.profiles`.
"""

from core.sim.profile import Profile

RARE: dict[str, Profile] = {
    # More comes in than a core has room for, and calls take long: messages wait in memory, leave it
    # and come back, while shards change hands with calls on their way.
    "waits": Profile(
        1.0,
        (1, 1, 3),
        (1, 2, 3),
        {"drain": 6, "freeze": 3, "crash": 2, "isolate": 3, "clock_jump": 4, "store_away": 2},
        sure=("drain",),
        store=2.0,
        call_slow=0.5,
        burst=24,
        garbled=0.1,
        swept_at_once=5,
        shares={"chains": (0.0, 0.6), "scheduled": (0.0, 0.4), "cancels": (0.1, 0.4)},
        limits={
            "open_messages_max": (4, 8, 16, 40),
            "park_after_ms": (100, 300, 1_200),
            "park_waiting_ms": (300, 900),
            "set_aside_ms": (200, 700),
            "await_in_memory_ms": (100, 600),
        },
    ),
    # Operators drain regions, take them for lost, change the map, and ask for what cannot be.
    "operators": Profile(
        0.7,
        (2,),
        (1, 2),
        {
            "region_drain": 3,
            "region_return": 3,
            "declare_lost": 2,
            "crash": 2,
            "isolate": 2,
            "cut_one_way": 2,
        },
        shares={"keyed": (0.8, 1.0), "copies": (0.1, 0.5), "spooled": (0.0,)},
        maps=True,
        mistakes=True,
    ),
    # Answers come late, to messages that were refused or set aside since, and are being written to
    # the open set.
    "late_answers": Profile(
        1.0,
        (1, 1, 3),
        (1, 2),
        {"freeze": 3, "crash": 2, "isolate": 2, "store_away": 2},
        no=(0.4, 0.6),
        answer_lost=(0.7, 0.9),
        store=2.0,
        call_slow=0.3,
        burst=24,
        shares={"careful": (0.0, 0.1), "scheduled": (0.0, 0.3), "chains": (0.0, 0.5)},
        limits={
            "park_after_ms": (100, 300),
            "park_waiting_ms": (300, 900),
            "set_aside_ms": (200, 700),
            "await_in_memory_ms": (100,),
            "due_at_once_max": (1, 3),
            "passed_at_once_max": (8,),
        },
        log_limits={"row_bytes_max": 800, "records_waiting_max": 2},
    ),
    # Regions are drained, come back, and are drained again before they have all of their share; the
    # tenant gets rules of its own, and clients ask for what nobody minted.
    "returning": Profile(
        0.7,
        (2,),
        (1, 2),
        {"crash": 1, "isolate": 1},
        shares={"keyed": (0.8, 1.0), "copies": (0.1, 0.5), "spooled": (0.0,)},
        maps=True,
        tenants=True,
        made_up=True,
        chains=("returning",),
        busy=5,
    ),
    # The narrow group of three regions is to be left by the last one that serves.
    "narrowed": Profile(
        0.7,
        (3,),
        (1, 2),
        {"crash": 1, "isolate": 1},
        shares={"keyed": (0.8, 1.0), "copies": (0.1, 0.5), "spooled": (0.0,)},
        maps=True,
        chains=("emptied",),
        busy=5,
    ),
}
