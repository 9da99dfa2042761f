"""Speed of the traces engine beside loops that a user could write; run by ``scripts/bench``."""
