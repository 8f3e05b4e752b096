"""Further engines: what they have in common, and one module each that fits one."""
