#!/usr/bin/env bash
# Checks that what building needs is there and new enough; says what to install otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."

min_rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
# Such as: ^20.19.0 || ^22.13.0 || >=24, which is what the packages in package-lock.json have in common.
node_range=$(sed -n 's/.*"node": "\(.*\)".*/\1/p' package.json)
missing=0

complain() {
  printf 'missing: %s\n' "$1" >&2
  missing=1
}

# at_least HAVE WANT
at_least() {
  [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# node_fits HAVE: is it in node_range?
node_fits() {
  local one min
  while read -r one; do
    case $one in
      ^*) min=${one#^}; [ "${1%%.*}" = "${min%%.*}" ] || continue ;;
      '>='*) min=${one#>=} ;;
      *) echo "package.json: cannot read the Node.js range $one" >&2; exit 2 ;;
    esac
    ! at_least "$1" "$min" || return 0
  done < <(sed 's/ *|| */\n/g' <<<"$node_range")
  return 1
}

if ! have=$(cargo --version 2>/dev/null | sed 's/cargo \([0-9.]*\).*/\1/') || [ -z "$have" ]; then
  complain "Rust $min_rust or newer (cargo); install it with rustup, see https://rustup.rs"
elif ! at_least "$have" "$min_rust"; then
  complain "Rust $min_rust or newer; this is $have. Run: rustup update stable"
fi

if ! have=$(node --version 2>/dev/null | sed 's/^v//') || [ -z "$have" ]; then
  complain "Node.js $node_range; install it from https://nodejs.org or your system's packages"
elif ! node_fits "$have"; then
  complain "Node.js $node_range; this is $have. Install one of these from https://nodejs.org"
fi

command -v npm >/dev/null ||
  complain "npm, which comes with Node.js (on Debian and Ubuntu it may be a package of its own: npm)"
{ command -v cc && command -v c++; } >/dev/null ||
  complain "a C and a C++ compiler (cc, c++); on Debian and Ubuntu: apt-get install build-essential, on macOS: xcode-select --install"

exit "$missing"
