"""A process with live changes: makes an instance of the options in its first line, and answers expressions about ``tide`` in JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, is_dataclass
from typing import Any, cast

from tidegate import Tidegate


def main() -> None:
    tide = Tidegate.live(locks=False, **json.loads(sys.stdin.readline()))
    print("started", flush=True)
    for line in sys.stdin:
        try:
            answer = eval(line, {"tide": tide})
        except Exception as error:
            answer = [type(error).__name__, str(error)]
        print(json.dumps(as_json(answer), default=str), flush=True)


def as_json(answer: Any) -> Any:
    return asdict(cast(Any, answer)) if is_dataclass(answer) else answer


if __name__ == "__main__":
    main()
