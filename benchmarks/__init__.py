"""Throughput, as ratios within one run (`make bench`); never part of the tests."""
