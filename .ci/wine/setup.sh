#!/bin/bash
# Sets up Wine for the Windows tests, once; a second run does nothing.
#
# It installs Debian's wine and wine64 if there is no wine, makes the prefix
# named in env.sh, and gives Wine versions before 8.20 the one library that
# the Go runtime needs and that they lack (see stub/main.go).
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
. "$here/env.sh"

# quietly runs a command and shows its output only if it fails.
quietly() {
	local log
	log=$(mktemp)
	if ! "$@" >"$log" 2>&1; then
		cat "$log" >&2
		rm -f "$log"
		return 1
	fi
	rm -f "$log"
}

if ! command -v wine >/dev/null; then
	export DEBIAN_FRONTEND=noninteractive
	quietly apt-get update -qq
	quietly apt-get install -y -qq --no-install-recommends wine wine64
fi

mkdir -p "$WINEPREFIX"
exec {lock}>"$WINEPREFIX/.lion-lock"
flock "$lock" # two runs at once would make one broken prefix

ready=$WINEPREFIX/.lion-ready # written last: a prefix without it is half made
if [ ! -f "$ready" ]; then
	quietly wineboot -i {lock}>&-
	wineserver -w {lock}>&-
	dll=$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll
	if [ ! -f "$dll" ]; then
		(cd "$here/stub" && GOOS= GOARCH= GOFLAGS= go run main.go "$dll")
	fi
	wine --version >"$ready"
fi
