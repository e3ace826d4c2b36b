"""The HTTP side: routes, identity, errors, live events, health. It starts work and shows it, and does none itself."""
