"""A Dask cluster for the tests of work by video."""

import distributed
import pytest


@pytest.fixture
def dask_address():
    """The address of a cluster of two processes: one for each test, since some kill them."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as local:
        yield local.scheduler_address
