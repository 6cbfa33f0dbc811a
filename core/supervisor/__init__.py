"""`goutong up`: a region's processes started, watched, started again, and ended together."""
