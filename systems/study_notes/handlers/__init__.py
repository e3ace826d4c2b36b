"""The jobs of the pipeline: one handler per kind, thin around the use cases."""
