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
