"""The systems that the papers compare themselves with, on this pipeline's crops, splits and networks."""
