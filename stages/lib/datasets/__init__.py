"""From a dataset's folder to one row per video: layouts, index, splits."""
