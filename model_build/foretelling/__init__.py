"""How well scores and interactions of held-out pairs are foretold, by engines and others."""
