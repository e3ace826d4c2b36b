"""One module for each kind of wire. They load a vendor's library: `penstock.ai.providers` imports them when asked."""
