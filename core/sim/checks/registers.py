"""Every register of a run is checked for itself: each lease, the shards of each home,
the serving regions, the placement map, and the change of replication."""

from collections.abc import Iterable

from core.sim.checks.linear import (
    Step,
    Use,
    step_lease,
    step_maps,
    step_replication,
    step_serving,
    step_shards,
    unexplained,
)
from core.sim.result import Violation
from core.sim.store.forced import number_of
from core.sim.store.swaps import MAPS, REPLICATION, SERVING, Operation, shards_register
from sync.store.shard_rows import first_rows

_STEPS: dict[str, Step] = {
    SERVING: step_serving,
    MAPS: step_maps,
    REPLICATION: step_replication,
}


def check_registers(
    operations: Iterable[Operation], homes: list[str], shards: int
) -> list[Violation]:
    """What in the store's record of swaps and SERIAL reads no order explains."""
    uses: dict[str, list[Use]] = {}
    for operation in operations:
        use = Use(
            operation.invoked_s,
            operation.answered_s,
            operation.argument,
            operation.answer,
            operation.process,
        )
        uses.setdefault(operation.register, []).append(use)
    of_shards = {shards_register(home) for home in homes}
    found = []
    for register, used in uses.items():
        of, _, tables = register.partition("@")
        if of in of_shards:
            failed = unexplained(used, first_rows(shards, number_of(tables)), step_shards)
        else:
            failed = unexplained(used, None, _STEPS.get(register, step_lease))
        if failed is not None:
            asked = "a read" if failed.use.argument is None else repr(failed.use.argument)
            what = f"{register}: {asked} of {failed.use.process} answered {failed.use.answer}"
            found.append(Violation("linear", what, failed.use.answered_s))
    return found
