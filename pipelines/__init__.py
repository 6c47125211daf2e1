"""The stages from raw files to a submission, the competitions, the command line and the tracking."""
