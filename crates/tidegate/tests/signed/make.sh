#!/bin/sh
# Makes the documents and signatures of this folder again, from the keys in it. Needs minisign 0.10 or later.
# Signatures are deterministic: where nothing has changed, nothing differs.
set -eu
cd "$(dirname "$0")"

# document NAME VALUE HEADER: a document whose only flag has VALUE.
document() {
    printf '{\n  "$tidegate": {%s},\n  "flags": {"seen": {"stable": "%s"}}\n}\n' "$3" "$2" >"$1.json"
}

# sign NAME KEY SIGNATURE [OPTION]
sign() {
    minisign -S -W -q -s "only-for-tests-$2.key" -m "$1.json" -x "$3.minisig" -c "only for tests" -t "$1" ${4:-}
}

january='"issued": "2026-01-01T00:00:00Z", "expires": "2026-02-01T00:00:00Z"'
document v41 v41 "\"environment\": \"test\", \"version\": 41, $january"
document v42 v42 "\"environment\": \"test\", \"version\": 42, $january"
document v42-changed v42-changed "\"environment\": \"test\", \"version\": 42, $january"
document v43 v43 "\"environment\": \"test\", \"version\": 43, $january"
document v43-staging v43-staging "\"environment\": \"staging\", \"version\": 43, $january"
document v43-nowhere v43-nowhere '"version": 43'
document v44 v44 '"environment": "test", "version": 44, "issued": "2026-01-20 00:00Z", "expires": "2026-03-01 00:00Z"'
document no-version no-version '"environment": "test"'
printf '{"flags": {"seen": {"stable": "no-header"}}}\n' >no-header.json

for name in v41 v42 v42-changed v43 v43-staging v43-nowhere v44 no-version no-header; do
    sign "$name" first "$name.json"
done
sign v42 stranger v42.stranger
sign v42 second v42.second
sign v43 second v43.second
sign v42 first v42.legacy -l
