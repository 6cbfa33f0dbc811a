"""Whether a cluster keeps what the promises rest on: read, judged, and told."""
