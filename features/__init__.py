"""Rows to network inputs, fitted on the train rows of each fold."""
