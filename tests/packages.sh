# shellcheck shell=bash
# Sourced by the setup scripts: collects missing Debian packages and installs them once.

wanted=()

have() { command -v "$1" >/dev/null 2>&1; }
say() { echo "setup: $*" >&2; }
want() { wanted+=("$1"); }

fail() {
    say "$*"
    exit 1
}

install_wanted() {
    [ "${#wanted[@]}" -gt 0 ] || return 0
    have apt-get || fail "missing: ${wanted[*]} (Debian's names). This is no Debian: install them with your package manager, then run again"
    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        have sudo || fail "missing: ${wanted[*]}. As root: apt-get install ${wanted[*]}"
        root=(sudo)
    fi
    say "installing ${wanted[*]}"
    # No server of the package's own on port 5432: the tests start theirs in a temporary directory.
    if [ ! -e /etc/postgresql-common/createcluster.conf ] && [[ " ${wanted[*]} " == *" postgresql"* ]]; then
        ${root[@]+"${root[@]}"} mkdir -p /etc/postgresql-common
        echo "create_main_cluster = false" | ${root[@]+"${root[@]}"} tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    ${root[@]+"${root[@]}"} apt-get update -q >/dev/null || say "apt-get update failed; trying with the lists at hand"
    ${root[@]+"${root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${wanted[@]}" >/dev/null ||
        fail "could not install: ${wanted[*]}"
}
