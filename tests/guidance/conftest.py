"""One tiny Stable Diffusion for all tests of guidance."""

from pathlib import Path

import pytest

from tests.helpers.diffusion import write_diffusion


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("diffusion")
    write_diffusion(folder)
    return folder
