"""The programs: one file per family of transitions. `domain.states.TRANSITIONS` names the place of each."""
