"""The HTTP side that systems share: error answers, request ids, limits of bodies, who asks, live events."""
