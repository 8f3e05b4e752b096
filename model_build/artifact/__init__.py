"""Publishes models where the web application finds them (`app.model_store` has the layout).

A store is a directory or a folder of a bucket. A version is complete when its manifest is there,
which is written last of its files; the pointer ``latest`` is moved after that. A write names the
generation that it replaces, so of two writers at once one is refused.
"""
