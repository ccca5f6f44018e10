"""The paper's table 1: how many reals and fakes the test splits of its datasets have."""

# Table 1: reals and fakes of each dataset's test split, by layout. Of DeeperForensics-1.0 the table says 200, the
# authors' list 201.
TEST_SPLITS: dict[str, tuple[int, int]] = {
    "ffpp": (140, 560),
    "celebdf": (178, 340),
    "deeperforensics": (201, 201),
    "faceshifter": (140, 140),
    "forgerynet": (480, 480),
}


def completeness(layout: str, n_real: int, n_fake: int) -> str | None:
    """How a test split compares with table 1: "complete" or "incomplete: …", None for a dataset that isn't the paper's.

    Raises ``ValueError`` where it has more videos than the table: then the lists are not the authors'.
    """
    if layout not in TEST_SPLITS:
        return None
    reals, fakes = TEST_SPLITS[layout]
    counts = f"{n_real} of {reals} reals, {n_fake} of {fakes} fakes"
    if n_real > reals or n_fake > fakes:
        raise ValueError(f"more than there can be: {counts}")
    return "complete" if (n_real, n_fake) == (reals, fakes) else f"incomplete: {counts}"
