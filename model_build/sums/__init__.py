"""What can be added up over fans: shards of them, and the sums that models are made of.

`shard` is what is found in the entries of some fans, `pair_sums` adds up pairs of anime in blocks
and finishes them, `sampling` draws fans. `store` keeps sums on disk, and `training` makes a model
of kept sums and new fans.
"""
