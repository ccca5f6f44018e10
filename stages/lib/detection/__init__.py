"""One video from file to verdict."""
