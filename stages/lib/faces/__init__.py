"""The face of each frame: detection, landmarks, crop, appearance."""
