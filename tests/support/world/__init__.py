"""One home in one process, in virtual time: the real machines, a simulated store and providers."""
