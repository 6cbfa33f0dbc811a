"""A replicated store on virtual time: datacentres, levels, hints, repair, compare-and-set."""
