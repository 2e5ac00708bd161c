#!/bin/sh
# run.sh all|fast PYTHON [ARGUMENT...]
# fast: the tests that take seconds, on every processor.
# all:  those in this process compute, those on real engines mostly wait for guests: they run side by side, which saves
#       minutes, and what failed is tried once more, alone. (Guests come first: under software emulation they can miss a
#       deadline on a busy machine.)
set -u
export PYTHONDONTWRITEBYTECODE= # compiling takes longer than most tests
which=$1
python=$2
shift 2
said=$(mktemp)
short=$(mktemp -d /tmp/t.XXXX) # workers' folders are deeper than pytest's own, and unix sockets have short paths
others=
ended() {
    [ -z "$others" ] || kill "$others" 2>/dev/null
    rm -f "$said"
    if [ "$1" = 0 ]; then rm -rf "$short"; else echo "what the tests left is in $short"; fi
}
trap 'ended $?' EXIT
trap 'exit 130' INT TERM

fast() { exec nice "$python" -m pytest -m "not live" -o cache_dir=.pytest_cache/fast --basetemp "$short/f" "$@"; }
live() { exec "$python" -m pytest -m live -o cache_dir=.pytest_cache/live --basetemp "$short/l" "$@"; }
failed() { [ "$1" != 0 ] && [ "$1" != 5 ]; } # 5: ARGUMENT names tests of the other kind only
again="--last-failed --last-failed-no-failures none"

if [ "$which" = fast ]; then
    (fast -m "not live and not slow" --numprocesses auto --dist loadfile "$@")
    exit
fi
fast "$@" >"$said" 2>&1 &
others=$!
(live --numprocesses 2 --dist loadfile --durations=10 "$@")
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
