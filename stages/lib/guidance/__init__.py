"""Guidance: Stable Diffusion, frozen, asks of the backbone's features what a fake was made from (DiffusionFake)."""
