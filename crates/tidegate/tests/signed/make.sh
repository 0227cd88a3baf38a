#!/bin/sh
# Makes the documents and signatures of this folder again, from the keys in it. Needs minisign 0.10 or later.
# Signatures are deterministic: where nothing has changed, nothing differs.
set -eu
cd "$(dirname "$0")"

# document NAME VERSION HEADER: a document with the flags that readers in the tests expect.
document() {
    cat >"$1.json" <<END
{
  "\$tidegate": {$3},
  "features": {
    "version": {"stable": $2},
    "on": {"stable": true},
    "half": {"stable": false, "new": true, "salt": "s", "start_time": "2020-01-01 00:00Z", "duration": "1d", "end_pct": 50}
  }
}
END
}

# sign NAME KEY SIGNATURE [OPTION]
sign() {
    minisign -S -W -q -s "only-for-tests-$2.key" -m "$1.json" -x "$3.minisig" -c "only for tests" -t "$1" ${4:-}
}

january='"issued": "2026-01-01T00:00:00Z", "expires": "2026-02-01T00:00:00Z"'
document v41 41 "\"environment\": \"test\", \"version\": 41, $january"
document v42 42 "\"environment\": \"test\", \"version\": 42, $january"
document v42-changed 420 "\"environment\": \"test\", \"version\": 42, $january"
document v43 43 "\"environment\": \"test\", \"version\": 43, $january"
document v43-staging 430 "\"environment\": \"staging\", \"version\": 43, $january"
document v43-nowhere 431 '"version": 43'
document v44 44 '"environment": "test", "version": 44, "issued": "2026-01-20 00:00Z", "expires": "2026-03-01 00:00Z"'
document v45 45 '"environment": "test", "version": 45'
document v46-over 46 '"environment": "test", "version": 46, "expires": "2000-01-01 00:00Z"'
document no-version 900 '"environment": "test"'
printf '{"features": {"version": {"stable": 901}}}\n' >no-header.json

for name in v41 v42 v42-changed v43 v43-staging v43-nowhere v44 v45 v46-over no-version no-header; do
    sign "$name" first "$name.json"
done
sign v42 stranger v42.stranger
sign v42 second v42.second
sign v43 second v43.second
sign v42 first v42.legacy -l
