"""Predictions to the file that Kaggle accepts."""
