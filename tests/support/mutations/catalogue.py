"""All mutations."""

from tests.support.mutations import Mutation
from tests.support.mutations.asking import ASKING
from tests.support.mutations.chains import CHAINS
from tests.support.mutations.edits import EDITS
from tests.support.mutations.forced import FORCED
from tests.support.mutations.leases import LEASES
from tests.support.mutations.logs import LOGS
from tests.support.mutations.maps import MAPS
from tests.support.mutations.regions import REGIONS
from tests.support.mutations.replication import REPLICATION
from tests.support.mutations.sends import SENDS
from tests.support.mutations.serving import SERVING
from tests.support.mutations.spool import SPOOL

MUTATIONS: tuple[Mutation, ...] = (
    *LOGS,
    *LEASES,
    *SENDS,
    *CHAINS,
    *SPOOL,
    *REGIONS,
    *SERVING,
    *MAPS,
    *FORCED,
    *ASKING,
    *REPLICATION,
    *EDITS,
)

# Rules that another rule covers, so that no checker can find them gone; why is said here.
COVERED: dict[str, str] = {
    # A counter lower than the one known does not move the watch. `revoked` is set only if the row
    # still is what was waited for, and of a holder's rows the one with the highest counter is kept
    # for that: where an older one was seen last, the swap is refused, or not tried, and a higher
    # one that is seen then starts the wait again. So all that is lost is time, for as long as old
    # and new rows are seen by turns.
    "old_sight_is_a_sight": "revoked by compare-and-set, of the highest counter alone (4)",
}
