#!/usr/bin/env bash
# Installs the yardsticks of bench/run, beside what the tests need.
#
#   nginx-light  what a plain upload costs
#   restic       what encrypting backup software costs
set -euo pipefail
cd "$(dirname "$0")/.."
tests/setup.sh
. tests/packages.sh
have nginx || [ -x /usr/sbin/nginx ] || want nginx-light
have restic || want restic
install_wanted
say "yardsticks ready"
