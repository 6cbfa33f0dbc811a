"""Who lives, who owns which shard, and how a shard changes hands (PROTOCOL.md 4, 7, 10, 11).

`members` watches the others' leases, `shards` decides for one home what to take, take up, drop and
give, `handover` gives one shard away, `balance` says who should have which shard, and `forced` what
holds when an operator forced ownership. Facts come in as plain data, seconds on CLOCK_BOOTTIME and
drawn numbers among them; what is to be done comes back as commands. Safety rests on the conditions
of the compare-and-sets alone: everything else in here only decides who tries, and when.
"""
