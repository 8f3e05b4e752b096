from tests.web.conftest import anilist, app, settings

__all__ = ["anilist", "app", "settings"]
