"""From evaluation logs to predictions: loaders, estimates, fits. Imports core, stats and theory only."""
