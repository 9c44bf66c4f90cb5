#!/usr/bin/env bash
# Installs the programs that the tests use and that are missing: a Redis server, Chromium, ffmpeg, curl, OpenSSL,
# CMake and NASM, and GStreamer's RTSP server with what it needs.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
  echo 'missing: cargo fmt or cargo clippy. Run: rustup component add rustfmt clippy' >&2
  exit 1
fi

packages=()
names=()
need() { # need PACKAGE WHAT PROGRAM..., of which one is enough
  local package=$1 what=$2 program
  shift 2
  for program in "$@"; do
    if command -v "$program" >/dev/null; then
      printf '%s: %s\n' "$what" "$(command -v "$program")"
      return
    fi
  done
  packages+=("$package")
  names+=("$what")
}

need redis-server 'Redis server' redis-server
need ffmpeg 'ffmpeg' ffmpeg
need curl 'curl' curl
# For libjpeg-turbo, which the feature turbojpeg builds from its source.
need cmake 'CMake' cmake
[ "$(uname -m)" != x86_64 ] || need nasm 'NASM' nasm
need openssl 'OpenSSL' openssl
if [ -n "${CHROMIUM_BIN:-}" ]; then
  [ -x "$CHROMIUM_BIN" ] || { echo "CHROMIUM_BIN=$CHROMIUM_BIN is no program" >&2; exit 1; }
else
  need chromium 'Chromium' chromium chromium-browser google-chrome
fi
# Libraries, not programs: the test camera itself says what it lacks, and with which packages it has it.
if lacks=$(/usr/bin/python3 tests/rtsp/camera.py --check 2>&1); then
  printf 'GStreamer RTSP server: %s\n' "$lacks"
else
  read -ra gstreamer <<<"$(sed -n 's/.*apt-get install //p' <<<"$lacks")"
  packages+=("${gstreamer[@]:-python3}")
  names+=('GStreamer RTSP server')
fi
[ "${#packages[@]}" -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  # -n: there may be nobody to type a password.
  if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    as_root=(sudo)
  else
    as_root=(missing)
  fi
fi
if ! command -v apt-get >/dev/null || [ "${as_root[0]:-}" = missing ]; then
  printf 'The tests need what is missing here: %s.\n' "$(IFS=,; echo "${names[*]}")" >&2
  printf 'Install it with your system'\''s packages (Debian, as root: apt-get install %s),\n' "${packages[*]}" >&2
  printf 'or name a Chromium or Chrome in CHROMIUM_BIN.\n' >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update
# The tests start Redis servers of their own. The package's service must not start at installation; a
# machine that has a policy for that keeps it.
policy=/usr/sbin/policy-rc.d
if [[ " ${packages[*]} " == *' redis-server '* ]] && [ ! -e "$policy" ]; then
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
fi
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"
