"""Styles and modules of the pages, kept in memory, compressed once, under an address that changes with their content."""

import gzip
import mimetypes
from hashlib import sha256
from pathlib import Path

import attrs
from starlette.datastructures import Headers
from starlette.responses import Response

DIRECTORY = Path(__file__).parent / "static"
PREFIX = "/static/"
_TYPES = {".mjs": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_FOREVER = "public, max-age=31536000, immutable"


@attrs.frozen
class _File:
    body: bytes
    packed: bytes
    media_type: str


@attrs.frozen(eq=False)
class StaticFiles:
    """All files of one directory. Modules import each other by relative paths, so one digest stands for all of them."""

    files: dict[str, _File] = attrs.field(repr=False)
    digest: str

    @classmethod
    def read(cls, directory: Path = DIRECTORY) -> "StaticFiles":
        """Returns the files of a directory. Raises `OSError`."""
        found, digest = dict[str, _File](), sha256()
        for path in sorted(directory.iterdir()):
            body = path.read_bytes()
            digest.update(path.name.encode() + b"\0" + body)
            media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            found[path.name] = _File(body, gzip.compress(body, 9, mtime=0), media_type)
        return cls(found, digest.hexdigest()[:12])

    def url(self, name: str) -> str:
        """Returns the address of a file. Raises `KeyError` for one that does not exist."""
        self.files[name]
        return f"{PREFIX}{self.digest}/{name}"

    def answer(self, path: str, headers: Headers) -> Response | None:
        """Returns the file at a path, or None. An address of another version is served too, but not to be kept."""
        digest, _, name = path.removeprefix(PREFIX).partition("/")
        file = self.files.get(name)
        if file is None:
            return None
        cache = _FOREVER if digest == self.digest else "no-store"
        fields = {"cache-control": cache, "vary": "accept-encoding", "x-content-type-options": "nosniff"}
        packed = "gzip" in headers.get("accept-encoding", "") and len(file.packed) < len(file.body)
        if packed:
            fields["content-encoding"] = "gzip"
        return Response(file.packed if packed else file.body, headers=fields, media_type=file.media_type)

    @property
    def packed_bytes(self) -> int:
        """The size of everything, compressed."""
        return sum(len(file.packed) for file in self.files.values())
