#!/usr/bin/env bash
# The fresh-machine proof: Debian 12 with nothing but its own nodejs and npm, an ordinary user, a fresh clone, the README's two commands.
# Use, as root: scripts/debian-root.sh [--words "demo test"] [--work-tree] [--keep] | --changed
#   --words      what to run: demo (until ready, fetch the share page, Ctrl-C) and other words of package.json
#   --work-tree  the files as they lie here instead of a clone of HEAD
#   --keep       leave the root behind, to look at
#   --changed    only tell whether set-up files changed since the recorded proof (exit 0: yes)
# Mounts and processes live in namespaces of their own and end with them, however this script ends.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
proof=$top/scripts/debian-root.proof
words='demo test'
from=clone
keep=''

set_up_files() {
  (cd "$top" && cat package.json package-lock.json bin/* scripts/*.sh | sha256sum | cut -d ' ' -f 1)
}

while [ $# -gt 0 ]; do
  case $1 in
    --words) words=$2 && shift ;;
    --work-tree) from=work-tree ;;
    --keep) keep=yes ;;
    --changed)
      [ "$(cut -d ' ' -f 1 "$proof" 2>/dev/null || true)" != "$(set_up_files)" ]
      exit
      ;;
    *) sed -n '2,8s/^# //p' "$0" && exit 2 ;;
  esac
  shift
done

[ "$(id -u)" = 0 ] || { echo 'debian-root: needs root, to make a Debian root' >&2 && exit 2; }
command -v debootstrap >/dev/null || { echo 'debian-root: apt-get install debootstrap' >&2 && exit 2; }

cache=${DEBIAN_ROOT_CACHE:-/var/cache/package-r-debian-root}
base=$cache/bookworm
mkdir -p "$cache"
room=$(mktemp -d "$cache/run.XXXXXX")
root=$room/root
demo_group=''

clean_up() {
  [ -z "$demo_group" ] || kill -KILL -- "-$demo_group" 2>/dev/null || true
  [ -n "$keep" ] || rm -rf --one-file-system "$room"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

took() { printf 'debian-root: %-28s %4d s\n' "$1" $((SECONDS - $2)); }

# The mirror that this machine itself uses for Debian, if it names one; else debootstrap's own.
mirror() {
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    sed -nE -e 's/^URIs: *([^ ]+).*/\1/p' -e 's/^deb +(\[[^]]*\] +)?([^ ]+).*/\2/p' |
    grep -E '^https?://' | grep -E '/debian(/|$)' | grep -v security | head -n 1 || true
}

make_base() {
  local start=$SECONDS mirror
  mirror=$(mirror)
  rm -rf --one-file-system "$base" "$base.new"
  debootstrap --variant=minbase bookworm "$base.new" ${mirror:+"$mirror"} >"$room/base.log" 2>&1 || { tail -n 20 "$room/base.log" >&2 && exit 1; }
  cp -L /etc/resolv.conf /etc/hosts "$base.new/etc/"
  # apt, not debootstrap, resolves what npm needs; an archive of some day past is as good as today's.
  chroot "$base.new" env DEBIAN_FRONTEND=noninteractive sh -c '
    apt="apt-get -qq -o Acquire::Check-Valid-Until=false -o Acquire::Check-Date=false -o Dpkg::Options::=--force-unsafe-io"
    $apt update && $apt install --no-install-recommends nodejs npm ca-certificates && $apt clean
  ' >>"$room/base.log" 2>&1 </dev/null || { tail -n 20 "$room/base.log" >&2 && exit 1; }
  mv "$base.new" "$base"
  took 'Debian with nodejs and npm' "$start"
}

# A file that a setting points to, at the same place inside.
carry() { [ ! -f "$1" ] || install -D -m 644 "$1" "$root$1"; }

# How this machine reaches its registries: resolver, npm's settings, certificates, proxies; by the settings' names, whatever they hold.
declare -a machine
carry_network() {
  local name value
  rm -f "$root/etc/resolv.conf"
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  for name in $(compgen -e); do
    value=${!name}
    case $name in
      http_proxy | https_proxy | no_proxy | HTTP_PROXY | HTTPS_PROXY | NO_PROXY | npm_config_registry | NPM_CONFIG_REGISTRY) machine+=("$name=$value") ;;
      NODE_EXTRA_CA_CERTS | SSL_CERT_FILE | CURL_CA_BUNDLE | npm_config_cafile | NPM_CONFIG_CAFILE) machine+=("$name=$value") && carry "$value" ;;
    esac
  done
  for name in registry proxy https-proxy noproxy cafile strict-ssl; do
    value=$(cd / && npm config get "$name" 2>/dev/null || true)
    case $value in '' | null | undefined) continue ;; esac
    printf '%s=%s\n' "$name" "$value" >>"$root/home/newcomer/.npmrc"
    [ "$name" != cafile ] || carry "$value"
  done
}

make_root() {
  local start=$SECONDS
  cp -a "$base" "$root"
  chroot "$root" useradd --create-home --shell /bin/sh newcomer
  carry_network
  if [ $from = clone ]; then
    git clone -q "$top" "$root/home/newcomer/project"
  else
    mkdir "$root/home/newcomer/project"
    (cd "$top" && git ls-files -z --cached --others --exclude-standard | xargs -0 sh -c 'for f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done' sh |
      tar -c --null -T -) | tar -x --no-same-owner -C "$root/home/newcomer/project"
  fi
  chroot "$root" chown -R newcomer:newcomer /home/newcomer
  took "a newcomer's home ($from)" "$start"
}

# Becomes a command of the newcomer inside the root, with an environment of their own and signals at their defaults.
enter() {
  exec unshare --mount --pid --fork --kill-child --mount-proc="$root/proc" \
    chroot --userspec=newcomer:newcomer "$root" \
    env -i --default-signal HOME=/home/newcomer USER=newcomer PATH=/usr/bin:/bin LANG=C.UTF-8 TERM=dumb "${machine[@]}" "PORT=$port" \
    sh -c "cd /home/newcomer/project && $1"
}

fetch() { curl --silent --show-error --noproxy '*' --max-time 20 --output /dev/null --write-out '%{http_code}' "$1"; }

try_demo() {
  local start=$SECONDS link='' answer rc=0
  setsid bash -c "$(declare -f enter); $(declare -p machine); root='$root' port='$port'; enter 'exec npm run demo'" >"$room/demo.log" 2>&1 &
  demo_group=$!
  while [ -z "$link" ]; do
    kill -0 "$demo_group" 2>/dev/null && [ $((SECONDS - start)) -lt 900 ] || { tail -n 30 "$room/demo.log" && echo 'debian-root: the demo was not ready' && return 1; }
    sleep 1
    link=$(grep -oE "http://[^ \"']+/s/[A-Za-z0-9_~-]+" "$room/demo.log" | head -n 1 || true)
  done
  took 'npm run demo: ready' "$start"
  answer=$(fetch "$link")
  [ "$answer" = 200 ] || { echo "debian-root: the share page answers $answer" && return 1; }
  start=$SECONDS
  kill -INT -- "-$demo_group"
  wait "$demo_group" || rc=$?
  demo_group=''
  took "npm run demo: Ctrl-C (exit $rc)" "$start"
  [ $((SECONDS - start)) -lt 20 ] || { echo 'debian-root: the demo did not stop on Ctrl-C' && return 1; }
  ! fetch "$link" >/dev/null 2>&1 || { echo 'debian-root: something still answers after Ctrl-C' && return 1; }
}

try_word() {
  local start=$SECONDS rc=0
  (enter "exec npm run $1") >"$room/$1.log" 2>&1 </dev/null || rc=$?
  tail -n 12 "$room/$1.log"
  took "npm run $1: exit $rc" "$start"
  return "$rc"
}

port=$((20000 + RANDOM % 20000))
[ -d "$base" ] || make_base
make_root
chroot "$root" sh -c 'echo "debian-root: Debian $(cat /etc/debian_version), Node $(node -v), npm $(npm -v 2>/dev/null)"'
failed=0
for word in $words; do
  if [ "$word" = demo ]; then try_demo || failed=1; else try_word "$word" || failed=1; fi
done
[ -z "$keep" ] || echo "debian-root: left in $room"
[ $failed = 0 ] || exit 1
# A recorded proof is of both commands.
[ "$words" != 'demo test' ] || printf '%s  package.json package-lock.json bin/* scripts/*.sh, proven on Debian 12\n' "$(set_up_files)" >"$proof"
echo 'debian-root: passed'
