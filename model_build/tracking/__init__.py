"""Reports to experiment trackers; knows neither models nor builds."""
