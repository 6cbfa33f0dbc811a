"""Taking requests in: checked, rendered, journaled, and only then answered."""
