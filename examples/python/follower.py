"""A service that follows a server: all flags in its own memory, each change within milliseconds, and a start without the server.

    tidegate serve --data-dir state
    python follower.py shop/new_cart http://127.0.0.1:8080
"""

import sys

from tidegate import Tidegate


def main(flag_key: str, *servers: str) -> None:
    with Tidegate.follow(*servers, cache_name="example-follower") as flags:
        print("now:", flags.is_active_for(flag_key, "user-17"), flush=True)
        for change in flags.subscribe():
            if flag_key in change:
                print("now:", flags.is_active_for(flag_key, "user-17"), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
