"""The public dumps of anime lists: read as published, cleaned, and written in one layout.

`formats` says what each dump looks like, `source` opens a file, zip or folder, `rows` streams it,
`spill` sorts what was read by ranges of fans on disk, `cleaning` decides what stays, `partitions`
writes it, `prepared` is the layout, which training reads.
"""
