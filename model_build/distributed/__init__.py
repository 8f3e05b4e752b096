"""Training on a Dask cluster: everything that is a sum over fans is added up shard by shard.

`cluster` connects to workers and adds up what they find, `plan` cuts the work to fit into their
memory, `training` is the order of the steps, and makes the model. What a worker does with the fans
of a shard stands in `model_build.sums`.
"""
