"""Frames of a video: decoded once, kept without loss."""
