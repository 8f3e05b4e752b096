"""Puts models where the web application finds them (`app.model_store` has the layout).

A place is a `store`: a directory or a folder of a bucket. A version is whole when its manifest is
there, which is written last of its files; ``latest`` is moved after that. Nothing is replaced
without saying what it replaces, so of two who change the same thing at once one is refused.
"""
