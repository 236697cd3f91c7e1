# SPDX-License-Identifier: MIT
# What ./run needs on a machine: system packages, .venv, npm packages. Sourced, never run.
#
# Every function checks first and does nothing when the thing is there, so that after the first
# run nothing here touches the network. Stamps lie inside what they vouch for (.venv, node_modules,
# client/dist), so deleting one of those is enough to have it made again.
# Supported: Debian 12, Ubuntu 24.04; on others, what is missing is named instead of installed.

say() { printf '==> %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Runs a long step with its output in a log: one line at the start, the time at the end.
# On failure the end of the log is shown.
step() {
  local title=$1 log started=$SECONDS
  shift
  log="build/log/$(printf '%s' "$title" | tr -c 'A-Za-z0-9\n' '-' | cut -c1-40).log"
  mkdir -p build/log
  say "$title ..."
  if "$@" >"$log" 2>&1 </dev/null; then
    printf '    done in %d s\n' $((SECONDS - started))
  else
    tail -n 60 "$log" >&2
    die "$title failed (whole output: $log)"
  fi
}

have() { command -v "$1" >/dev/null 2>&1; }
# says PATTERN COMMAND...: its whole output is read first, since a pipe that grep closes early
# makes the command fail under pipefail.
says() {
  local pattern=$1 output
  shift
  output=$("$@" 2>/dev/null) || true
  grep -qiE -- "$pattern" <<<"$output"
}
hash_of() { cat "$@" 2>/dev/null | sha256sum | cut -c1-16; }

# --- system packages -----------------------------------------------------------------------------

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt_missing=()
need() { apt_missing+=("$@"); }   # Notes packages to install; install_missing does it in one go.

apt_updated=false
apt_update() {
  $apt_updated || as_root apt-get update -q || return 1
  apt_updated=true
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

# Whether the system's package lists have it. A "no" of fresh lists is kept in build/, so that it
# is asked once.
apt_offers() {
  have apt-cache || return 1
  [ ! -e "build/setup/no-$1" ] || return 1
  if in_package_lists "$1"; then return 0; fi
  can_be_root || return 1
  say "Looking for the package $1 ..."
  apt_update >/dev/null 2>&1 || return 1
  if in_package_lists "$1"; then return 0; fi
  mkdir -p build/setup
  : >"build/setup/no-$1"
  return 1
}

in_package_lists() { says 'Candidate: [0-9]' apt-cache policy "$1"; }
can_be_root() { [ "$(id -u)" -eq 0 ] || have sudo; }

install_missing() {
  [ ${#apt_missing[@]} -gt 0 ] || return 0
  have apt-get || die "please install these yourself (no apt-get here): ${apt_missing[*]}"
  can_be_root || die "run as root once, or install sudo: needs apt-get install ${apt_missing[*]}"
  $apt_updated || step "Updating the package lists" apt_update
  step "Installing ${apt_missing[*]}" apt_install "${apt_missing[@]}"
  apt_missing=()
}

version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n1)" = "$2" ]; }

# A Python that can make a venv and compile an extension: >= 3.11, ensurepip, Python.h.
python_ok() {
  "$1" - >/dev/null 2>&1 <<'PY'
import ensurepip, os, sys, sysconfig, venv
header = os.path.join(sysconfig.get_paths()["include"], "Python.h")
sys.exit(not (sys.version_info >= (3, 11) and os.path.exists(header)))
PY
}

find_python() {
  local candidate
  for candidate in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
    if have "$candidate" && python_ok "$candidate"; then command -v "$candidate"; return; fi
  done
  return 1
}

node_at_least() { have node && have npm && version_at_least "$(node --version | tr -d v)" "$1"; }

# Debian 12 has Node 18, the client's tests and the benchmarks want 20: the pinned program of the
# npm registry goes into build/node and comes first on the path.
NODE_VERSION=20.19.5
setup_node() {
  local machine
  node_at_least 20 && return 0
  machine=$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')
  if [ ! -x "build/node/node_modules/node-linux-$machine/bin/node" ]; then
    mkdir -p build/node
    step "Installing Node $NODE_VERSION into build/node" npm --prefix build/node install \
      --no-save --no-audit --no-fund "node-linux-$machine@$NODE_VERSION"
  fi
  export PATH="$PWD/build/node/node_modules/node-linux-$machine/bin:$PATH"
}
header_ok() { printf '#include <%s>\n' "$1" | ${CXX:-g++} -E -x c++ - >/dev/null 2>&1; }

# Beast as of 1.81; Debian 12's plain libboost-dev is older, so the versioned package comes first.
boost_ok() {
  printf '#include <boost/version.hpp>\n#if BOOST_VERSION < 108100\n#error old\n#endif\n' |
    ${CXX:-g++} -E -x c++ - >/dev/null 2>&1 && header_ok boost/beast.hpp
}

need_boost() {
  if apt_offers libboost1.81-dev; then need libboost1.81-dev; else need libboost-dev; fi
}

# The formatter's major version decides the format, so it is one version everywhere.
clang_tool() {
  local name
  for name in "$1-19" "$1"; do
    if have "$name" && says 'version 19\.' "$name" --version; then echo "$name"; return; fi
  done
  return 1
}

# The first Chromium that really starts. Ubuntu's package is a stub that asks for a snap: the stub
# answers --version with an error or not at all.
find_chromium() {
  local candidate
  for candidate in ${LATTICE_CHROMIUM:-} chromium chromium-browser google-chrome-stable google-chrome; do
    have "$candidate" || continue
    case "$(readlink -f "$(command -v "$candidate")")" in */snap*) continue ;; esac
    if says '^(chromium|google chrome) [0-9]' timeout 20 "$candidate" --version; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

setup_compiler() {
  { have "${CXX:-g++}" && have make; } || need g++ make
  { have cmake && version_at_least "$(cmake --version | sed -n '1s/[^0-9]*//p')" 3.25; } || need cmake
  have ninja || need ninja-build
  have ccache || need ccache
  have git || need git
  install_missing
  boost_ok || need_boost
  header_ok openssl/ssl.h || need libssl-dev
  header_ok fmt/core.h || need libfmt-dev
  header_ok asmjit/asmjit.h || need libasmjit-dev
  find_python >/dev/null || need python3 python3-venv python3-dev
  node_at_least 18 || need nodejs npm
  install_missing
  find_python >/dev/null || die "no Python 3.11 or newer with venv and headers (python3-venv, python3-dev)"
  node_at_least 18 || die "Node.js 18 or newer with npm is needed; found: $(node --version 2>/dev/null || echo none)"
  setup_node
}

setup_test_tools() {
  header_ok gtest/gtest.h || need libgtest-dev
  header_ok mpfr.h || need libmpfr-dev
  header_ok sleef.h || need libsleef-dev
  clang_tool clang-format >/dev/null || ! apt_offers clang-format-19 || need clang-format-19
  clang_tool clang-tidy >/dev/null || ! apt_offers clang-tidy-19 || need clang-tidy-19
  install_missing
}

# Browser checks are skipped, with a line that says so, where no Chromium can be had.
setup_chromium() {
  if ! find_chromium >/dev/null && apt_offers chromium &&
    ! says 'Candidate: .*(snap|ubuntu)' apt-cache policy chromium; then
    need chromium
    install_missing
  fi
  LATTICE_CHROMIUM=$(find_chromium) || {
    LATTICE_CHROMIUM=
    say "No Chromium that starts (Ubuntu's package is only a stub): browser checks are skipped"
  }
  export LATTICE_CHROMIUM
}

# --- .venv and npm -------------------------------------------------------------------------------

setup_venv() {
  local python stamp
  stamp=$(hash_of requirements/*.txt)
  if [ "$(cat .venv/.requirements 2>/dev/null)" = "$stamp" ] && .venv/bin/python -c '' 2>/dev/null; then return; fi
  python=$(find_python)
  if ! .venv/bin/python -c '' 2>/dev/null || ! python_ok .venv/bin/python; then
    rm -rf .venv
    step "Making .venv with $("$python" --version)" "$python" -m venv .venv
  fi
  step "Installing Python packages (requirements/dev.txt)" \
    .venv/bin/python -m pip install --disable-pip-version-check -q -r requirements/dev.txt
  echo "$stamp" >.venv/.requirements
}

# The venv runs the package of build/release: a path file, and the `lattice` command.
link_package() {
  local site
  site=$(echo .venv/lib/python3.*/site-packages)
  echo "$PWD/build/release/python" >"$site/lattice-dev.pth"
  printf '#!/bin/sh\nexec "%s/.venv/bin/python" -m lattice "$@"\n' "$PWD" >.venv/bin/lattice
  chmod +x .venv/bin/lattice
}

# npm_install DIR: exactly what DIR/package-lock.json says.
npm_install() {
  local stamp
  [ -f "$1/package.json" ] || return 0
  stamp=$(hash_of "$1/package.json" "$1/package-lock.json")
  [ "$(cat "$1/node_modules/.lattice-stamp" 2>/dev/null)" != "$stamp" ] || return 0
  step "Installing npm packages of $1" npm --prefix "$1" ci --no-audit --no-fund
  mkdir -p "$1/node_modules"
  echo "$stamp" >"$1/node_modules/.lattice-stamp"
}

build_client() {
  local stamp
  [ -f client/package.json ] || { say "client/: nothing to build yet"; return 0; }
  npm_install client
  stamp=$(git ls-files -co --exclude-standard client protocol | LC_ALL=C sort | xargs -d '\n' cat 2>/dev/null | sha256sum | cut -c1-16)
  [ "$(cat client/dist/.stamp 2>/dev/null)" != "$stamp" ] || [ ! -f client/dist/client.js ] || return 0
  step "Building the browser client" npm --prefix client run build
  echo "$stamp" >client/dist/.stamp
}

# --- C++ -----------------------------------------------------------------------------------------

# What one clone has compiled is found by another one at another path: ccache hashes paths below
# the clone as relative ones.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

# configure PRESET [cmake arguments]: only when the arguments are new; ninja reconfigures by itself.
configure() {
  local preset=$1 wanted
  shift
  wanted="$PWD $preset $*"
  [ -f "build/$preset/build.ninja" ] && [ "$(cat "build/$preset/.configured" 2>/dev/null)" = "$wanted" ] && return 0
  step "Configuring C++ ($preset)" cmake --preset "$preset" "$@"
  printf '%s' "$wanted" >"build/$preset/.configured"
}

# build PRESET TITLE TARGETS...: quiet when there is nothing to do.
build() {
  local preset=$1 title=$2
  shift 2
  if says 'no work to do' ninja -C "build/$preset" -n "$@"; then return 0; fi
  step "$title" cmake --build --preset "$preset" --target "$@"
}

configure_release() {
  configure release -DLATTICE_PYTHON=ON -DLATTICE_BENCH=ON -DPython_EXECUTABLE="$PWD/.venv/bin/python"
}
