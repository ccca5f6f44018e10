"""Pairs of a video's faces, and how each becomes one vector (section 3.2)."""
