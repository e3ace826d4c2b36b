"""`make bench-peers`: other job engines beside ours, each in its own environment, doing the same in the same run.

The runner and the drivers speak the little protocol of `protocol.py`; there is one driver a rival in `rivals/`.
"""
