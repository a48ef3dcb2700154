#!/bin/sh
# Runs one word of package.json's scripts, after the set-up that the word needs: sh scripts/run.sh WORD [ARGUMENT…]
#
# Everything here is POSIX sh, because it runs before there is a Node of ours. A machine needs a Node and an npm of any age
# (Debian 12 has 18 and 9), the npm registry as it is configured there, and no root. Set-up happens once per package-lock.json.
# Nothing here calls a package script again; the last process is exec'ed, so signals and exit codes are its own.
set -eu

NODE_VERSION=24.21.0
NPM_VERSION=11.21.2

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cd -- "$root"
bin=$root/node_modules/.bin
cache=$root/.cache
installed=$root/node_modules/.package-r-set-up
built=$root/dist/.built
lock=$cache/set-up.lock
log=$cache/set-up.log
holding=''

say() { printf 'package-r: %s\n' "$*" >&2; }
fail() {
  say "$@"
  exit 1
}

# What node_modules was made from, and for which machine. It is written last: a half-finished install has none.
wanted() { printf '%s %s %s node@%s npm@%s' "$(cksum <package-lock.json)" "$(uname -s)" "$(uname -m)" "$NODE_VERSION" "$NPM_VERSION"; }

is_installed() { [ -x "$bin/node" ] && [ -f "$installed" ] && [ "$(cat "$installed")" = "$(wanted)" ]; }

is_built() {
  [ -f "$built" ] && [ -z "$(find src web package.json package-lock.json rolldown.config.ts -path web/node_modules -prune -o ! -name '*.test.ts' -newer "$built" -print | head -n 1)" ]
}

is_alive() { [ -n "$1" ] && { kill -0 "$1" 2>/dev/null || [ -d "/proc/$1" ]; }; }

# One set-up or build at a time. A folder is the lock, since making one is atomic everywhere; the lock of a dead process is taken
# over, by one process only, which looks again before it does.
take_lock() {
  mkdir -p "$cache" 2>/dev/null || fail "cannot write to $root. Use a copy that you may write to: cp -R '$root' ~/package-r"
  waited=0
  until mkdir "$lock" 2>/dev/null; do
    [ -d "$lock" ] || fail "cannot write to $cache. Use a copy that you may write to: cp -R '$root' ~/package-r"
    [ "$waited" -ne 1 ] || say 'waiting for another set-up of this folder …'
    holder=$(cat "$lock/pid" 2>/dev/null || true)
    if [ "$waited" -ge 2 ] && ! is_alive "$holder" && mkdir "$lock.takeover" 2>/dev/null; then
      is_alive "$(cat "$lock/pid" 2>/dev/null || true)" || rm -rf "$lock"
      rmdir "$lock.takeover"
      continue
    fi
    waited=$((waited + 1))
    [ "$waited" -lt 900 ] || fail "another set-up of this folder does not end. If none is running: rm -r '$lock' '$lock.takeover'"
    sleep 1
  done
  holding=yes
  echo "$$" >"$lock/pid"
}

release_lock() {
  [ -z "$holding" ] || rm -rf "$lock"
  holding=''
}

trap release_lock EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# npm runs under the packaged Node and as the packaged npm: an old npm leaves out native bindings (Biome, Vite) in silence, and
# Debian's npm breaks under another Node. Settings of the outer npm reach the inner one through the environment, save those that
# were meant for the outer call alone (-s, --json).
install_packages() {
  command -v npx >/dev/null 2>&1 || fail 'Node and npm are missing. Install them first, for example: apt-get install nodejs npm'
  [ ! -e node_modules ] || [ -w node_modules ] || fail "cannot write to $root/node_modules. It belongs to another user: remove it, or use a copy of this folder"
  say 'setting up: fetching Node 24 and the packages (once) …'
  unset npm_config_loglevel npm_config_json npm_config_dry_run npm_config_global
  if ! npx -y -p "node@$NODE_VERSION" -p "npm@$NPM_VERSION" npm ci --include=dev --no-audit --no-fund >"$log" 2>&1 </dev/null; then
    tail -n 25 "$log" >&2
    explain_scripts
    fail "the packages could not be installed; the whole log is $log. Set-up needs the npm registry: check the network and 'npm config get registry' (also proxy, cafile), then run the same command again"
  fi
  case $("$bin/node" -v 2>/dev/null || true) in
    v24.*) ;;
    *)
      explain_scripts
      fail "the packaged Node does not run here ($(uname -s) $(uname -m)): $bin/node. The npm package node has binaries for Linux with glibc, macOS and Windows"
      ;;
  esac
  wanted >"$installed.new"
  mv "$installed.new" "$installed"
}

explain_scripts() {
  [ "$(npm config get ignore-scripts 2>/dev/null || true)" != true ] ||
    fail "npm is set to ignore install scripts, and the package node fetches its binary in one (it is the only package here that has one). Allow it for this set-up: npm_config_ignore_scripts=false npm run $word"
}

set_up() {
  is_installed && return
  take_lock
  is_installed || install_packages
  release_lock
}

# What is started runs bundled: in one file it starts in half the time and keeps a third less memory (docs/decisions/0002). Types are
# checked by build, check and test.
compile() {
  is_built && return
  take_lock
  if ! is_built; then
    : >"$cache/built"
    rm -rf dist
    "$bin/rolldown" -c rolldown.config.ts >"$log" 2>&1 || { tail -n 25 "$log" >&2; fail 'the program could not be built'; }
    "$bin/vite" build web -c web/vite.config.ts >"$log" 2>&1 || { tail -n 25 "$log" >&2; fail 'the web application could not be built'; }
    mv "$cache/built" "$built"
  fi
  release_lock
}

# exec leaves no shell behind, so nothing is left that could swallow a signal; traps are dropped first, or they would run for nobody.
become() {
  trap - EXIT HUP INT TERM
  exec "$@"
}

inspect() {
  "$bin/biome" check .
  "$bin/tsc" -p .
  "$bin/vue-tsc" -p web
  "$bin/knip"
}

# Vitest's own summary, then one plain line with the totals.
run_tests() { become "$bin/node" "$root/node_modules/vitest/vitest.mjs" run --reporter=default --reporter=./scripts/totals.ts "$@"; }

word=${1-}
[ $# -eq 0 ] || shift

case $word in
  demo | dev | build | lint | check | test | bench | soak) ;;
  *) fail "sh scripts/run.sh demo|dev|build|lint|check|test|bench|soak (not '$word')" ;;
esac

set_up
PATH=$bin:$PATH
export PATH

case $word in
  demo)
    compile
    become "$root/bin/package-r" demo "$@"
    ;;
  dev) become "$bin/node" --watch src/main.ts serve "$@" ;;
  build)
    "$bin/tsc" -p .
    "$bin/vue-tsc" -p web
    rm -f "$built"
    compile
    ;;
  lint) become "$bin/biome" check . "$@" ;;
  check)
    inspect
    run_tests --dir src "$@"
    ;;
  test)
    # With arguments: only these tests, while one works on them.
    if [ $# -eq 0 ]; then inspect; fi
    compile
    run_tests "$@"
    ;;
  bench)
    name=${1:?"sh scripts/run.sh bench NAME"}
    shift
    become "$bin/node" bench/run.ts "$name" "$@"
    ;;
  soak)
    compile
    become "$bin/node" test/soak/run.ts "$@"
    ;;
esac
