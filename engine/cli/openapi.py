"""`polycopy openapi`: the description of the HTTP interface, without an engine."""

import click

from engine.api.openapi import openapi_document
from engine.api_reference import described_routes, reference_page


@click.command()
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the page engine/api/REFERENCE.md.")
def openapi(as_markdown: bool) -> None:
    """Print the OpenAPI 3.1 document of the HTTP interface, as a running engine gives it at /api/openapi.json."""
    routes = described_routes()
    click.echo(reference_page(routes) if as_markdown else openapi_document(routes).decode(), nl=not as_markdown)
