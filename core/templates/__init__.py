"""Templates: Liquid with limits, checked when they are stored, rendered when a message is taken."""
