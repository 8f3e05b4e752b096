"""Made-up dumps in the formats of the public ones, so that scale is tested without them."""
