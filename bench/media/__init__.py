"""Media engines under the same load in the same run: ``python -m bench.media``."""
