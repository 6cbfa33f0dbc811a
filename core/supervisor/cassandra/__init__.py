"""Cassandra nodes on this machine: fetched by Maven, started as plain `java`, watched and ended."""
