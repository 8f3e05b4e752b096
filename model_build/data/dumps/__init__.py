"""The public dumps of anime lists: read as published, cleaned, and written in one layout.

`formats` has what each dump looks like, `source` opens a file, zip or folder, `csv_entries` streams
its rows, `cleaning` sorts and cleans them, `prepared` is the layout, which training reads.
"""
