"""The network that embeds faces, and its training (sections 3.1 and 4.1)."""
