"""From evaluation logs to predictions: readers, estimates, fits, plans."""
