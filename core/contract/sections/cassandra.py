"""Settings of Cassandra, local or a user's own: read by core, never by edge."""

from typing import Annotated

import msgspec
from msgspec import Meta

from core.contract.sections.kinds import PortNumber, Positive, Section, doc, secret

Replicas = Annotated[str, Meta(pattern="^[A-Za-z][A-Za-z0-9_-]{0,47}=[1-9][0-9]?$")]


class CassandraSettings(Section, frozen=True):
    """Cassandra, the store of several regions. A local one is fetched by Maven on first use."""

    contact_points: Annotated[
        list[str],
        doc(
            "Nodes of this region's datacentre, which has the region's name. `goutong up` tells it."
        ),
    ] = msgspec.field(default_factory=list)
    port: Annotated[PortNumber, doc("Where the nodes answer CQL.")] = 9042
    keyspace: Annotated[
        str,
        Meta(pattern="^[a-z][a-z0-9_]{0,39}$"),
        doc("The keyspace; those of placement groups begin with it."),
    ] = "goutong"
    replication: Annotated[
        list[Replicas],
        doc("Replicas in each datacentre, as eu=3. Empty: three in each region's."),
    ] = msgspec.field(default_factory=list)
    user: Annotated[str, doc("Who logs in; empty: nobody has to.")] = ""
    password: Annotated[str, secret("The user's password.")] = ""
    tls: Annotated[bool, doc("Whether connections are encrypted and the nodes proved.")] = False
    tls_ca_file: Annotated[
        str, doc("Whose certificates are believed, PEM; empty: the system's authorities.")
    ] = ""
    tls_cert_file: Annotated[str, doc("The own certificate, PEM; empty: none is shown.")] = ""
    tls_key_file: Annotated[str, doc("Its key, PEM, where it is in a file of its own.")] = ""
    tls_check_host: Annotated[
        bool, doc("Whether a node's certificate has to be for its address.")
    ] = True
    connect_timeout_ms: Annotated[Positive, doc("A connection not made by then failed.")] = 5000
    requests_max: Annotated[
        Positive, doc("Requests of one process under way at once; others wait in order.")
    ] = 512
    production: Annotated[
        bool, doc("Whether fewer than three replicas are refused, and open doors are told.")
    ] = True
    tolerate: Annotated[
        list[str],
        doc("Rules of `goutong store check` that warn where they would refuse."),
    ] = msgspec.field(default_factory=list)
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
    ] = 300_000
