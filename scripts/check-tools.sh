#!/usr/bin/env bash
# Checks that what building needs is there and new enough; says what to install otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."

min_rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
min_node=$(sed -n 's/.*"node": ">=\([0-9.]*\)".*/\1/p' package.json)
missing=0

complain() {
  printf 'missing: %s\n' "$1" >&2
  missing=1
}

# at_least HAVE WANT
at_least() {
  [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

if ! have=$(cargo --version 2>/dev/null | sed 's/cargo \([0-9.]*\).*/\1/') || [ -z "$have" ]; then
  complain "Rust $min_rust or newer (cargo); install it with rustup, see https://rustup.rs"
elif ! at_least "$have" "$min_rust"; then
  complain "Rust $min_rust or newer; this is $have. Run: rustup update stable"
fi

if ! have=$(node --version 2>/dev/null | sed 's/^v//') || [ -z "$have" ]; then
  complain "Node.js $min_node or newer; install it from https://nodejs.org or your system's packages"
elif ! at_least "$have" "$min_node"; then
  complain "Node.js $min_node or newer; this is $have. Install a newer one from https://nodejs.org"
fi

command -v npm >/dev/null ||
  complain "npm, which comes with Node.js (on Debian and Ubuntu it may be a package of its own: npm)"
command -v cc >/dev/null ||
  complain "a C compiler (cc); on Debian and Ubuntu: apt-get install build-essential, on macOS: xcode-select --install"

exit "$missing"
