"""Stores: the contract, the programs they run, and the two implementations. Every engine table and all SQL are here."""
