#!/usr/bin/env bash
# Installs the programs that the tests use and that are missing: a Redis server, Chromium, ffmpeg.
set -euo pipefail

packages=()
names=()
need() { # need PROGRAM PACKAGE WHAT
  if command -v "$1" >/dev/null; then
    printf '%s: %s\n' "$3" "$(command -v "$1")"
  else
    packages+=("$2")
    names+=("$3")
  fi
}

need redis-server redis-server 'Redis server'
need ffmpeg ffmpeg 'ffmpeg'
if [ -n "${CHROMIUM_BIN:-}" ]; then
  [ -x "$CHROMIUM_BIN" ] || { echo "CHROMIUM_BIN=$CHROMIUM_BIN is no program" >&2; exit 1; }
else
  need chromium chromium 'Chromium'
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
# A service that starts by itself would take the tests' ports; they start their own.
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"
