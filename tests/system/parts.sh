#!/usr/bin/env bash
# The real parts that the system tests run against, from Debian by apt. Elsewhere, or
# without the right to install, it says what is missing; those tests then say so too.
# With CI=true a missing part is an error.
set -eu
declare -A package=(
    [kamailio]="kamailio kamailio-extra-modules kamailio-tls-modules kamailio-outbound-modules kamailio-utils-modules"
    [/usr/lib/*/kamailio/modules/presence_dialoginfo.so]="kamailio-presence-modules"
    [baresip]="baresip-core"
    [sipp]="sip-tester"
    [chromium]="chromium fonts-liberation"
    [firefox-esr]="firefox-esr"
    [pg_ctlcluster]="postgresql"
    [turnserver]="coturn"
    [dovecot]="dovecot-imapd"
    [openssl]="openssl"
    [cc]="gcc libc6-dev"
    [unshare]="util-linux"
    [node]="nodejs npm"
)
if [ "${1:-}" = bench ]; then
    package[rtpengine]="rtpengine-daemon"
    package[janus]="janus"
fi
found() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || compgen -G "$1" >/dev/null; }
missing=()
for part in "${!package[@]}"; do found "$part" || missing+=("$part"); done
[ ${#missing[@]} -eq 0 ] && exit 0

run=()
if [ "$(id -u)" -ne 0 ]; then run=(sudo -n); fi
if command -v apt-get >/dev/null 2>&1 && "${run[@]}" true 2>/dev/null; then
    packages=()
    for part in "${missing[@]}"; do read -ra names <<<"${package[$part]}"; packages+=("${names[@]}"); done
    echo "Installing the real parts for the system tests: ${packages[*]}"
    "${run[@]}" apt-get update -qq
    # Services must not start by themselves: the tests start their own.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | "${run[@]}" tee $policy >/dev/null
        "${run[@]}" chmod +x $policy
        trap '"${run[@]}" rm -f $policy' EXIT
    fi
    "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=400 \
        install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi
left=()
for part in "${missing[@]}"; do found "$part" || left+=("$part (${package[$part]})"); done
if [ ${#left[@]} -ne 0 ]; then
    printf 'Not here, so the tests that need it are left out: %s\n' "${left[@]}"
    [ "${CI:-}" != true ] || exit 1
fi
