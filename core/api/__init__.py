"""The core's own HTTP and its link, for edges and operators; callers never see it directly."""
