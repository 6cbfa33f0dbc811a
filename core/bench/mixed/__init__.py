"""What `goutong bench day` is made of: its curve, its traffic, its bad habits, its reckoning."""
