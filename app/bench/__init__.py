"""``mall bench``: each figure beside its raw floor, measured in the same run on scratch folders."""
