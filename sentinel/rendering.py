"""Files made from the templates. Values come escaped: a template only says where they stand."""

from typing import Any


def render(template: str, **values: Any) -> str:
    """The text of templates/TEMPLATE with these values."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from sentinel.paths import template_directory

    environment = Environment(
        loader=FileSystemLoader(template_directory()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**values)
