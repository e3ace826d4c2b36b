"""Join the services for each kind of job."""
