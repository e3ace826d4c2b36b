"""Asking the web with care: addresses that strangers wrote, and answers that may be anything."""
