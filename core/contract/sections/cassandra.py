"""Settings of Cassandra, local or a user's own: read by core, never by edge."""

from typing import Annotated

from msgspec import Meta

from core.contract.sections.kinds import Positive, Section, doc


class CassandraSettings(Section, frozen=True):
    """Cassandra, the store of several regions. A local one is fetched by Maven on first use."""

    folder: Annotated[
        str,
        doc("Where fetched versions of Cassandra are kept; empty: in the user's cache folder."),
    ] = ""
    java: Annotated[
        str, doc("Program of Java 17 for local nodes; empty: of JAVA_HOME, the path, or Debian's.")
    ] = ""
    maven: Annotated[str, doc("Program that fetches Cassandra; empty: mvn of the path.")] = ""
    heap_mib: Annotated[
        int, Meta(ge=256), doc("Heap of each local node, which takes about twice this.")
    ] = 384
    ready_timeout_ms: Annotated[
        Positive, doc("A local node that is not ready by then makes the start fail.")
    ] = 120_000
