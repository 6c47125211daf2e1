"""Networks, and the training of a whole cross-validation at a time."""
