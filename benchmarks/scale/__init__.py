"""How time and memory grow: made-up dumps of many sizes, prepared and trained on, one by one."""
