"""The servers that phxactor is measured beside, one in each file. See `catalogue`."""
