"""Named mixtures of faults. `swarm` is the usual one; the others press on one kind of accident."""

from core.sim.directed import DIRECTED
from core.sim.profile import Profile
from core.sim.rare import RARE

PROFILES: dict[str, Profile] = {
    "swarm": Profile(
        0.6,
        (1, 2, 3, 3, 3),
        (1, 1, 2),
        {
            "crash": 4,
            "freeze": 4,
            "drain": 3,
            "cut": 2,
            "cut_one_way": 2,
            "isolate": 2,
            "halves": 1,
            "ring": 1,
            "clock_jump": 2,
            "region_lost": 1,
            "store_away": 2,
            "edge_crash": 1,
            "edge_freeze": 1,
            "cores_away": 1,
            "region_drain": 1,
            "region_return": 1,
        },
        torn=0.01,
        alone=(0.0, 0.0, 0.05),
    ),
    "crashes": Profile(1.0, (1, 2, 3), (1, 2, 3), {"crash": 8, "freeze": 2}),
    "freezes": Profile(1.0, (1, 3), (2, 2, 3), {"crash": 2, "freeze": 8}),
    "drains": Profile(
        0.7,
        (1, 2, 3, 3),
        (2, 2, 3),
        {"drain": 6, "crash": 2, "freeze": 2, "region_drain": 4, "region_return": 3},
    ),
    "cuts": Profile(
        0.6, (3,), (1, 2), {"cut": 3, "cut_one_way": 3, "isolate": 3, "halves": 2, "ring": 2}
    ),
    "spools": Profile(
        1.0,
        (1, 2, 3),
        (1, 2),
        {
            "cores_away": 8,
            "edge_crash": 10,
            "edge_freeze": 3,
            "crash": 3,
            "freeze": 2,
            "cut": 2,
            "isolate": 2,
        },
        sure=("cores_away", "edge_crash"),
    ),
    "one_region": Profile(0.5, (1,), (1, 2, 2, 3), {"crash": 4, "freeze": 4, "clock_jump": 1}),
    # Durations are measured so differently that a lease says nothing: what must not happen, does.
    "clocks_outside": Profile(
        1.0, (1, 3), (2, 3), {"crash": 2, "freeze": 6, "clock_jump": 4}, drift=0.6, struck=0.02
    ),
    # Calls whose answers are lost, and are refused when they are repeated.
    "doubts": Profile(
        1.0,
        (1, 2, 3),
        (1, 2),
        {"crash": 4, "freeze": 2},
        no=(0.3, 0.6),
        answer_lost=(0.7, 0.9),
        shares={"careful": (0.0, 0.1), "suppressed": (0.3, 0.8), "scheduled": (0.0, 0.1)},
    ),
    # Most messages belong to a chain, whose evidence comes in elsewhere.
    "chains": Profile(
        1.0,
        (1, 3, 3),
        (2, 3),
        {"crash": 4, "freeze": 3, "cut": 2},
        no=(0.0, 0.3),
        answer_lost=(0.05, 0.3),
        shares={"chains": (0.9,), "cancels": (0.1, 0.4), "scheduled": (0.0,)},
    ),
    # The same key in several regions, often with another body.
    "copies": Profile(
        1.0,
        (3,),
        (1, 2),
        {"crash": 5, "freeze": 3, "isolate": 2, "cut": 2},
        shares={"keyed": (0.9,), "copies": (0.7,), "other_body": (0.3, 0.7)},
    ),
    # Owners follow each other before the first has told of everything, on a store that fails often.
    "takeovers": Profile(1.0, (1, 1, 3), (2, 3), {"crash": 14, "freeze": 6}, store=3.0),
    # Regions part again and again, and hints are too old when they meet: what stands in one region
    # alone comes to the others by repair only.
    "hints_expire": Profile(
        1.0,
        (3,),
        (1, 2),
        {"isolate": 6, "cut": 4, "halves": 2, "region_lost": 2, "store_away": 3, "crash": 3},
        hint_window_s=1.0,
        readers=True,
        torn=0.03,
    ),
    # Replicas lose all that they had, one at a time; each region can spare one.
    "replicas_lost": Profile(
        1.0,
        (3,),
        (1, 2),
        {"replica_lost": 3, "store_away": 2, "isolate": 3, "crash": 3, "freeze": 2},
        replicas=(3,),
        hint_window_s=1.0,
        readers=True,
        torn=0.03,
    ),
    # What stands in one region alone, or is missing in one, when another region goes on.
    "apart": Profile(
        1.0,
        (3,),
        (1, 1, 2),
        {"apart_then_lost": 2, "hole_then_lost": 2, "crash": 2},
        sure=("apart_then_lost", "hole_then_lost"),
        replicas=(1,),
        hint_window_s=0.5,
        readers=True,
        shares={"scheduled": (0.0, 0.5)},
    ),
    # Rows of local lanes stand in their writer's region alone while the way there is open: they are
    # asked for, and no repair is waited for. Reads never happen to ask the region that has them.
    "alone": Profile(
        1.0,
        (3,),
        (1, 1, 2),
        {"isolate": 3, "cut": 2, "cut_one_way": 2, "region_lost": 1, "crash": 3, "freeze": 2},
        hint_window_s=0.5,
        alone=(0.3,),
        repair_late=True,
        far_reads=0.0,
        readers=True,
        shares={"scheduled": (0.0, 0.1)},
    ),
    # Shards change hands while rows are under way from owners that are slow rather than gone.
    "slow_owners": Profile(
        1.0,
        (3,),
        (1, 2),
        {"freeze": 8, "isolate": 5, "cut_one_way": 4, "crash": 4},
        store=4.0,
    ),
    # As far apart as clocks may run: every tenth of a second of a lease counts.
    "drifts": Profile(
        1.0, (1, 3), (2, 3), {"freeze": 8, "isolate": 4, "cut_one_way": 3}, drift=0.02
    ),
    # Processes stop, and regions part, while a write is under way, about as long as a lease lasts.
    "struck": Profile(
        1.0,
        (1, 3, 3),
        (2, 3),
        {"crash": 4, "freeze": 2},
        store=3.0,
        struck=0.006,
        readers=True,
        no=(0.3, 0.6),
    ),
    # The placement map changes while keyed messages come in twice, under both versions.
    "maps": Profile(
        1.0,
        (2, 3, 3),
        (1, 2),
        {"crash": 4, "freeze": 3, "isolate": 2, "cut": 2, "cut_one_way": 2, "drain": 1},
        shares={
            "keyed": (0.8, 1.0),
            "copies": (0.1, 0.5),
            "other_body": (0.0, 0.0, 0.5),
            "cancels": (0.0, 0.1),
            "spooled": (0.0,),
        },
        maps=True,
    ),
    # Operators change how many replicas regions have, one after the other, and die at it.
    "replication": Profile(
        1.0,
        (2, 3, 3, 3),
        (1, 2),
        {"crash": 5, "freeze": 4, "isolate": 2, "cut": 1, "store_away": 1, "region_lost": 1},
        replicas=(3,),
        hint_window_s=2.0,
        readers=True,
        torn=0.03,
        replication=True,
        faults_s=(27.0, 35.0),
    ),
    # Regions that were cut off shortly before go away: what stands there alone goes with them,
    # unless a repair brings it to the others first.
    "leaving": Profile(
        1.0,
        (3,),
        (1, 2),
        {"isolate": 10, "crash": 2},
        sure=("isolate",),
        replicas=(3,),
        hint_window_s=0.3,
        replication=True,
        leaves=1.0,
        faults_s=(20.0, 27.0),
        shares={"keyed": (0.9,), "globally": (0.0,), "spooled": (0.0,), "chains": (0.0,)},
    ),
    # What is to be sent later waits in the open set while regions part.
    "parked": Profile(
        1.0,
        (3,),
        (1, 2),
        {"isolate": 5, "cut": 3, "store_away": 3, "crash": 4, "freeze": 2},
        shares={"scheduled": (0.6, 0.9)},
        hint_window_s=1.0,
        readers=True,
        torn=0.03,
        struck=0.003,
    ),
    # One region is left, or thinks so, and an operator lets it own alone; then the others join it.
    "forced": Profile(
        1.0,
        (3,),
        (1, 2),
        {"lost_then_forced": 1, "cut_off_then_forced": 1, "crash": 4, "freeze": 4},
        shares={"spooled": (0.0,)},
        hint_window_s=2.0,
        forces=True,
        faults_s=(25.0, 40.0),
    ),
    # Accounts, policies and suppressions are edited, from several regions and at once.
    "edits": Profile(
        0.7,
        (1, 2, 3, 3),
        (1, 2),
        {
            "crash": 4,
            "freeze": 3,
            "isolate": 2,
            "cut": 2,
            "cut_one_way": 2,
            "store_away": 2,
            "drain": 1,
        },
        shares={"suppressed": (0.0,), "scheduled": (0.0, 0.3), "chains": (0.0, 0.3)},
        edits=True,
    ),
    **DIRECTED,
    **RARE,
}
