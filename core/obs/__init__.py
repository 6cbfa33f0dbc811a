"""What a core tells about itself in numbers."""
