"""The journal's store on Cassandra, for several regions."""
