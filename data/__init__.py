"""Raw competition files to checked, folded tables, and the torch datasets that the other rooms share."""
