"""The built-in demo dataset, rendered from two public-domain portraits."""
