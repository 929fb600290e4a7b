"""Put the book's source into the wheel, as oulib/_book; an editable install needs no copy of it."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = ("book", "data", "notebooks", "_config.yml", "_toc.yml")


class BookInWheel(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            build_data["force_include"].update({name: f"oulib/_book/{name}" for name in SOURCE})
