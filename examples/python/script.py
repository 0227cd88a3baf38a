"""A script that asks once and ends: which version of a tool this host installs.

    python script.py https://example.com/flags.json
"""

import socket
import sys

from tidegate import Tidegate


def main() -> None:
    with Tidegate.http(sys.argv[1], cache_name="example-script") as tide:
        version = tide.get("tools", "formatter", socket.gethostname(), default="1.0")
        print(f"installing formatter {version}")


if __name__ == "__main__":
    main()
