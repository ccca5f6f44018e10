"""The domain of DiffFake: pure functions that know no params file, no argv and no DVC."""
