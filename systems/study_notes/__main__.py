"""`python -m systems.study_notes`."""

from systems.study_notes.cli import main

if __name__ == "__main__":
    main()
