"""Pure rules: states, outcomes, retry, order, uniqueness, flows, schedules. No I/O, no clock, no asyncio.

Times are integers: microseconds since 1970-01-01 UTC. Durations are microseconds unless a name says otherwise.
"""
