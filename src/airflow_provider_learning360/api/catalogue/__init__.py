"""Every documented operation of 360Learning, as data: one file for each version of the API."""
