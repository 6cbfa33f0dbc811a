"""`goutong bench`: ratios against peers that run side by side, in one run."""
