#!/bin/sh
# host-packages.sh [build] [tests]: installs the host packages that are missing, and makes the system user that the
# controller runs as. For the Makefile: it works before any Python package is there. Says nothing when nothing is missing.
set -eu
for kind in "$@"; do
    case $kind in build | tests) ;; *) echo "usage: $0 [build] [tests]" >&2; exit 2 ;; esac
done
list=$(dirname "$0")/host-packages.txt

# Building the guest image asks apt too, whose lists a fresh machine may lack.
if [ "$(id -u)" = 0 ] && ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
    apt-get update -qq
fi
wanted() { awk -v kinds=" $* " '!/^#/ && NF && ($3 == "" || index(kinds, " " $3 " ")) { print $1 == "?" ? "?" $2 : $2 }' "$list"; }
set -f
missing=
for package in $(wanted "$@" | sort -u); do
    name=${package#\?}
    state=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || true)
    [ "$state" != installed ] || continue
    [ "$name" = "$package" ] || apt-cache show "$name" >/dev/null 2>&1 || continue
    missing="$missing $name"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "Host packages are missing. As root: apt-get update && apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
    echo "host packages:$missing"
    export DEBIAN_FRONTEND=noninteractive
    # PostgreSQL's programs are for the tests, which make databases of their own: no server is to be set up.
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    fi
    # Nor is a directory.
    if [ ! -e /etc/ldap/slapd.d ] && command -v debconf-set-selections >/dev/null; then
        echo 'slapd slapd/no_configuration boolean true' | debconf-set-selections
    fi
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq -o Dpkg::Options::=--force-confold --no-install-recommends $missing
fi
if [ "$(id -u)" = 0 ] && ! getent passwd pileus >/dev/null; then
    useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin pileus
fi
