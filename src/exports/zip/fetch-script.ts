/**
 * What an unpacked archive needs to become whole: a list of its pointers and a POSIX script that exchanges them in place with curl or
 * wget alone. The script trusts the list, made by packageR, and not the pointer files: a package may hold files that look like them.
 */
import { quote } from '#exports/lines.ts';
import type { Checksum } from '#model/checksum.ts';
import { putBytes, putEncodedPath, putInteger, putText } from '#model/text-bytes.ts';
import type { Item } from './items.ts';
import type { ExtraNames } from './names.ts';

/** Bytes that the line of an item may need. */
export function fetchLineRoom({ leaf, place, name, tail }: Item, checksum: Checksum | undefined): number {
  return (
    64 + 9 * leaf.path.length + 3 * (place.length + name.length) + tail.length + (checksum === undefined ? 0 : 3 * checksum.value.length)
  );
}

/** Puts `size⇥checksum⇥url⇥place⇥pointer` at `at`: none of them is empty or holds a TAB or line break. Gives where the line ends. */
export function putFetchLine(block: Buffer, at: number, { leaf, place, name, tail }: Item, checksum: Checksum | undefined): number {
  let end = putInteger(block, at, leaf.size);
  block[end++] = tab;
  if (checksum === undefined) block[end++] = dash;
  else end = putText(block, end, `${checksum.algorithm}:${checksum.value}`);
  end = putEncodedPath(block, putBytes(block, end, urlStart), leaf.path);
  block[end++] = tab;
  end = putText(block, end, place);
  block[end++] = tab;
  end = putBytes(block, putText(block, end, name), tail);
  block[end++] = lineFeed;
  return end;
}

const [tab, lineFeed, dash] = [0x09, 0x0a, 0x2d];
const urlStart = Buffer.from('\to/');

/** `base` has no ticket; the second argument of the script takes a link that has one. */
export function writeFetchScript(names: ExtraNames, base: string): string {
  return `#!/bin/sh
# Exchanges the pointers in this folder for their files, in place. Made by packageR.
#   sh ${names.script} [curl|wget] [LINK]
# LINK: another link to the same package, for instance one with a ticket (.../s/ID~TICKET/).
# JOBS: how many at once (4). May be run again at any time: what is complete stays, what is partial is resumed.
set -u
self=${names.script} list=${names.list} sha256sums=${names.sha256} md5sums=${names.md5}

has() { command -v "$1" >/dev/null 2>&1; }

sha256() { if has sha256sum; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

complete() {
  [ -f "./$path" ] && [ "$(wc -c <"./$path")" -eq "$size" ]
}

intact() {
  case $sum in
    sha256:*) { has sha256sum || has shasum; } || return 0; found=$(sha256 <"./$path") ;;
    md5:*) has md5sum || return 0; found=$(md5sum <"./$path") ;;
    *) return 0 ;;
  esac
  [ "\${found%% *}" = "\${sum#*:}" ]
}

transfer() {
  if [ "$size" -eq 0 ]; then : >"./$path"; return; fi
  if [ -f "./$path" ] && [ "$(wc -c <"./$path")" -gt "$size" ]; then rm -f "./$path"; fi
  case $tool in
    curl) curl -q -g -sS -f -L --retry 3 -C - -o "./$path" "$link$url" ;;
    wget) wget -q -c --tries=5 --waitretry=10 --read-timeout=60 -O "./$path" "$link$url" ;;
  esac
  [ -s "./$path" ] || rm -f "./$path"
}

fetch() {
  [ -e "./$pointer" ] || return 0
  complete || transfer
  if ! complete; then echo "FAILED $path" >&2; return 1; fi
  if ! intact; then rm -f "./$path"; echo "FAILED $path (wrong bytes, removed)" >&2; return 1; fi
  rm -f "./$pointer"
}

if [ "\${1-}" = --lines ]; then
  tool=$2 link=$3 failed=0 tab=$(printf '\\t')
  shift 3
  for line; do
    IFS=$tab read -r size sum url path pointer <<END
$line
END
    fetch || failed=1
  done
  exit $failed
fi

cd "$(dirname "$0")" || exit 1
tool=\${1-}
if [ -z "$tool" ]; then if has curl; then tool=curl; else tool=wget; fi; fi
case $tool in curl | wget) ;; *) echo "usage: sh $self [curl|wget] [LINK]" >&2; exit 2 ;; esac
has "$tool" || { echo "$tool is not installed" >&2; exit 2; }
link=\${2-${quote(base)}}
link=\${link%/}/

failed=0
tr '\\n' '\\0' <"$list" | xargs -0 -n 25 -P "\${JOBS-4}" sh "./$self" --lines "$tool" "$link" || failed=1

if [ -f "$sha256sums" ]; then
  if has sha256sum; then sha256sum -c --quiet "$sha256sums" || failed=1
  elif has shasum; then shasum -a 256 -c --status "$sha256sums" || failed=1
  else echo "neither sha256sum nor shasum is installed: $sha256sums was not checked" >&2; fi
fi
if [ -f "$md5sums" ]; then
  if has md5sum; then md5sum -c --quiet "$md5sums" || failed=1
  else echo "md5sum is not installed: $md5sums was not checked" >&2; fi
fi
if [ $failed -eq 0 ]; then echo "complete"; else echo "not complete: run it again, or ask for another link" >&2; fi
exit $failed
`;
}
