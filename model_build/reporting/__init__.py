"""The operator's report: what is measured, how it is drawn, and the page around it."""
