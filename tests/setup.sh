#!/usr/bin/env bash
# Installs what the tests need beside Rust. Run it as often as you like: it adds only what is missing.
#
#   Debian: postgresql  a throw-away server for the second database engine
#           age         opens what is sealed to persons, without our code
#           strace      shows that fsync comes before the answer
#           openssl     checks bundles without our code
#           time        measures peak memory
#           python3     runs bagit and samples/make.py
#           nodejs, npm run the provider that people sign in with
#   PyPI:   bagit       validates bundles            } in target/test-tools
#           aiosmtpd    a mail server for notices    } (versions and digests: tests/requirements.txt)
#   npm:    oidc-provider, in target/test-tools/provider (versions and digests: tests/provider/package-lock.json)
#
# Debian replaces package versions with each security update and keeps no old ones, so those are pinned by name:
# PostgreSQL by its major version where the distribution has it, the others as the distribution ships them.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/packages.sh

tools=target/test-tools
main() {
    [ -n "$(postgres_server)" ] || want "$(postgres_package)"
    have age || want age
    have strace || want strace
    have openssl || want openssl
    have go || want golang-go
    [ -d /usr/share/gocode/src/golang.org/x/mod ] || want golang-golang-x-mod-dev
    [ -x /usr/bin/time ] || want time
    have python3 || want python3
    python_has_venv || want python3-venv
    have node || want nodejs
    have npm || want npm
    install_wanted

    # Made anew whenever what is asked for has changed.
    if ! cmp -s tests/requirements.txt "$tools/requirements.txt"; then
        say "Python packages of tests/requirements.txt into $tools"
        python3 -m venv --clear "$tools"
        "$tools/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.txt
        cp tests/requirements.txt "$tools/requirements.txt"
    fi
    if ! cmp -s tests/provider/package-lock.json "$tools/provider/installed.json"; then
        say "npm packages of tests/provider/package-lock.json into $tools/provider"
        rm -rf "$tools/provider"
        mkdir -p "$tools/provider"
        cp tests/provider/package.json tests/provider/package-lock.json "$tools/provider/"
        (cd "$tools/provider" && npm ci --ignore-scripts --no-audit --no-fund --silent)
        cp tests/provider/package-lock.json "$tools/provider/installed.json"
    fi
    [ -x "$tools/bin/bagit.py" ] || fail "bagit was installed but $tools/bin/bagit.py is not there; remove $tools and run again"
    have cargo || fail "cargo is missing: install Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or newer with rustup"
    have cc || fail "a C compiler is missing (aws-lc and SQLite are built from source): install gcc or clang"
    say "ready"
}

postgres_server() {
    find /usr/lib/postgresql/*/bin/postgres /usr/local/bin/postgres /usr/pgsql-*/bin/postgres 2>/dev/null | sort -V | tail -n 1 || true
}

postgres_package() {
    if apt-cache show postgresql-15 >/dev/null 2>&1; then echo postgresql-15; else echo postgresql; fi
}

python_has_venv() {
    have python3 && python3 -c 'import venv, ensurepip' 2>/dev/null
}

main
