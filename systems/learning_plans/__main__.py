"""`python -m systems.learning_plans`."""

from systems.learning_plans.cli import main

if __name__ == "__main__":
    main()
