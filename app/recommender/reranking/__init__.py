"""The second stage of ranking: what the affinity finds is put in order by a boosted tree model."""
