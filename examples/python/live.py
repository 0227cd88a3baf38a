"""A service with live changes: it is a node of its own, keeps its flags in a folder, and prints each change.

    python live.py /var/lib/shop/flags shop/new_cart dana

With ``redis="redis://..."`` in place of the folder all processes of the service share their changes; with ``listen``, ``peers`` and
``certificates`` beside it they are a cluster.
"""

import sys

from tidegate import Tidegate


def main(folder: str, flag_key: str, actor: str) -> None:
    with Tidegate.live(folder) as flags:
        print("before:", flags.is_active_for(flag_key, "user-17"))
        changes = flags.subscribe()
        receipt = flags.activate(flag_key, actor=actor, reason="ready")
        print("acknowledged:", receipt.reached)
        for change in changes:
            if flag_key in change:
                print("now:", flags.is_active_for(flag_key, "user-17"))
                break
        for entry in flags.history(flag_key).changes:
            print("changed by", entry.actor, "because it is", entry.reason)


if __name__ == "__main__":
    main(*sys.argv[1:])
