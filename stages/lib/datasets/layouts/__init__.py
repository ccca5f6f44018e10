"""Dataset layouts: each module turns a root folder, as its authors distribute it, into index rows, and nothing else."""
