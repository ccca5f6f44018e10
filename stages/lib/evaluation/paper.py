"""The paper's figures: video-level AUC in % of Stamnas & Sanchez, "DiffFake", WACVW 2025, by the number of its tables.

Columns are (dataset, method); a dataset is one at a quality, by :func:`paper_dataset`. Everything but table 6
was trained on FaceForensics++ c0; table 6 on the quality that it tests. Its competitors' figures are as the paper
quotes them.
"""

from stages.lib.evaluation.detectors import CLASSIFIER, DIFFFAKE, OF_PAPER, SINGLE_FRAME

Column = tuple[str, str]
Figures = dict[str, dict[Column, float]]
FFPP = "ffpp"
AVERAGE = "average"


def paper_dataset(layout: str, quality: str | None) -> str | None:
    """The paper's dataset that a dataset of params.yaml is: ``ffpp``, ``ffpp_c23``, …, None if it is none of them."""
    if layout == FFPP:
        return {"raw": FFPP, "c0": FFPP, "c23": "ffpp_c23", "c40": "ffpp_c40"}.get(quality or "")
    return layout if layout in ("celebdf", "deeperforensics", "forgerynet", "faceshifter") else None


def _figures(columns: list[Column], rows: dict[str, tuple[float | None, ...]]) -> Figures:
    return {
        label: {column: value for column, value in zip(columns, values, strict=True) if value is not None}
        for label, values in rows.items()
    }


METHODS = [(FFPP, method) for method in ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")]
DATASETS = [(name, "all") for name in ("celebdf", "deeperforensics", "forgerynet", "faceshifter")]
_LAST_THREE = DATASETS[1:]

TABLES_2_AND_4 = _figures(
    [*METHODS, *DATASETS],
    {
        "abs": (100, 99.6, 97.5, 98.6, 74.5, 87.8, 80.9, 90.7),
        "sub": (100, 99.6, 97.9, 98.6, 75.1, 89.8, 80.0, 92.4),
        "sub2": (100, 99.6, 98.2, 98.6, 76.1, 91.0, 83.7, 92.5),
        "sub3": (100, 99.6, 98.6, 98.9, 75.7, 91.0, 83.0, 91.1),
    },
)
TABLE_3 = _figures(  # UNTAG reports its average alone
    [*METHODS, (FFPP, AVERAGE)],
    {
        "UNTAG": (None, None, None, None, 81.8),
        "OC-FakeDect2": (88.4, 71.2, 86.1, 97.5, 85.8),
        "Face X-ray": (99.2, 98.6, 98.2, 98.1, 98.5),
        "PCL+I2G": (100, 99.0, 99.9, 97.6, 99.1),
        "SBI": (99.7, 99.3, 98.8, 98.4, 99.0),
        SINGLE_FRAME.label: (99.6, 99.3, 96.8, 98.2, 98.5),
        DIFFFAKE.label: (100, 99.6, 98.6, 98.9, 99.3),
    },
)
TABLE_5 = _figures(  # the classifier is table 7's
    DATASETS,
    {
        "Face X-ray": (74.8, None, None, None),
        "SBI": (85.6, 83.3, 82.2, 94.0),
        "SLAAD (trained on fakes too)": (79.7, 88.9, None, None),
        "UNTAG": (74.7, None, 77.0, None),
        SINGLE_FRAME.label: (74.0, 88.0, 81.0, 91.4),
        CLASSIFIER.label: (None, 85.5, 79.8, 87.6),
        DIFFFAKE.label: (76.1, 91.0, 83.7, 92.5),
    },
)
TABLE_6 = _figures(
    [(name, method) for name in ("ffpp_c40", "ffpp_c23") for method in ("Deepfakes", "FaceSwap")],
    {
        "Xception": (58.7, 51.7, 77.0, 71.8),
        "Face X-ray": (57.1, 51.0, 58.5, 77.9),
        "F3Net": (58.3, 51.9, 80.5, 61.2),
        "RFM": (55.8, 51.6, 79.8, 63.9),
        "SRM": (55.5, 52.9, 83.8, 79.5),
        "SLAAD": (62.8, 56.8, 84.6, 72.1),
        SINGLE_FRAME.label: (74.9, 55.4, 87.9, 66.1),
        DIFFFAKE.label: (78.5, 58.2, 89.3, 68.9),
    },
)
TABLE_8 = _figures(
    _LAST_THREE,
    {
        "resnet50": (85.8, 73.4, 92.4),
        "legacy_xception": (80.8, 75.6, 88.8),
        "efficientnet_b4": (91.0, 83.7, 92.5),
    },
)
TABLE_9 = _figures(
    _LAST_THREE, {"ocsvm": (72.6, 78.5, 93.2), "autoencoder": (70.6, 78.1, 91.4), "gmm": (91.0, 83.7, 92.5)}
)


def figures_of_detectors() -> Figures:
    """DiffFake, its single-frame baseline and its classifier, by label, in all of tables 3, 5, 6 and 7."""
    tables = (TABLE_3, TABLE_5, TABLE_6)
    return {
        detector.label: {column: figure for table in tables for column, figure in table.get(detector.label, {}).items()}
        for detector in OF_PAPER
    }


def comparable(column: Column, trained_on: str | None) -> bool:
    """Whether the paper's figure of a column was measured with what ``trained_on`` (one of its datasets) is."""
    return trained_on == (column[0] if column[0] in ("ffpp_c23", "ffpp_c40") else FFPP)
