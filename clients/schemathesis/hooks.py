"""What schemathesis does not know by itself."""

from urllib.parse import unquote

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines_of_json(context, value):
    """A backup is sent as it is."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def filter_path_parameters(context, path_parameters):
    """Names that no pattern can exclude in every dialect: with invisible characters above U+FFFF, or with too many bytes."""
    # The values are percent-encoded already.
    names = [unquote(str(name)) for name in (path_parameters or {}).values()]
    return all(
        len(name.encode(errors="replace")) <= 256 and not any("\U000e0000" <= letter <= "\U000e0fff" for letter in name)
        for name in names
    )
