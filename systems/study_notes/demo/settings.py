"""The demo's settings."""

from pathlib import Path

from systems.common.models import OFFLINE
from systems.study_notes.settings import Settings


def offline_settings(work: Path) -> Settings:
    """The default settings with everything below `work`, and nothing asked of the network whatever keys there are."""
    return Settings(
        database_url=f"sqlite:///{work}/study_notes.db",
        files_dir=work / "files",
        ai_provider_chain=(OFFLINE,),
        image_provider="offline",
    )
