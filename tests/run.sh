#!/bin/sh
# run.sh PYTHON [ARGUMENT...]: all tests. Those in this process compute, those on real engines mostly wait for guests: they
# run side by side, which saves minutes, and what failed is tried once more, alone. (Real guests under software
# emulation can miss a deadline on a busy machine.)
set -u
python=$1
shift
said=$(mktemp)
others=
trap '[ -z "$others" ] || kill "$others" 2>/dev/null; rm -f "$said"' EXIT
trap 'exit 130' INT TERM

fast() { exec "$python" -m pytest -m "not live" -o cache_dir=.pytest_cache/fast "$@"; }
live() { exec "$python" -m pytest -m live -o cache_dir=.pytest_cache/live --durations=10 "$@"; }
failed() { [ "$1" != 0 ] && [ "$1" != 5 ]; } # 5: ARGUMENT names tests of the other kind only
again="--last-failed --last-failed-no-failures none"

fast "$@" >"$said" 2>&1 &
others=$!
(live "$@")
live=$?
wait "$others"
fast=$?
others=
cat "$said"
# shellcheck disable=SC2086
if failed $fast; then (fast $again "$@"); fast=$?; fi
# shellcheck disable=SC2086
if failed $live; then (live $again "$@"); live=$?; fi
! failed $fast && ! failed $live
