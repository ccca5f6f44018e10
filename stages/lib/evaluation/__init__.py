"""From scores to metrics, and beside the paper's."""
