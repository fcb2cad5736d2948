#!/usr/bin/env bash
# Fetches the circuits of the real node and unpacks them: scripts/setup/setup-logos-blockchain-circuits.sh [VERSION] [DIR]
#   VERSION   default v0.3.1
#   DIR       default ~/.logos-blockchain-circuits; replaced when it holds another version, left alone when it was not made here
# LOGOS_BLOCKCHAIN_CIRCUITS_URL     base of the addresses: BASE/VERSION/logos-blockchain-circuits-VERSION-linux-ARCH.tar.gz
# LOGOS_BLOCKCHAIN_CIRCUITS_SHA256  checksum of that file, or "none"; default: the one in the file beside it, named as it and .sha256
# DIR is as it was or whole. What was fetched before a break lies beside DIR, and the next try goes on from there.
# The last line of stdout is DIR. Exit 2: wrong arguments; 3: it could not be fetched, or is not what it should be.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib.sh"

# fetch URL FILE [OPTION…]: gives curl's exit code. Nothing of it can hang: a server that sends less than 1 kB/s for 30 s is left.
fetch() {
    local url=$1 file=$2
    shift 2
    curl --fail --location --silent --show-error --retry 3 --connect-timeout 15 --speed-limit 1000 --speed-time 30 \
        --output "$file" "$@" -- "$url" 2>"$work/curl"
}

sum_of() { sha256sum <"$1" | cut -d ' ' -f 1; }

# right FILE: is it what it is to be?
right() { [ "$want" = none ] || [ "$(sum_of "$1")" = "$want" ]; }

# download: $part, whole. Goes on with what an earlier try has left; from its beginning when the server cannot do that, or when that was
# of something else.
download() {
    local code=0
    if [ -s "$part" ]; then
        [ "$want" = none ] || ! right "$part" || return 0
        say "going on after $(stat -c %s "$part") bytes"
        fetch "$base/$version/$archive" "$part" --continue-at - || code=$?
        if [ $code = 0 ] && right "$part"; then
            return 0
        elif [ $code = 0 ] || grep -qE 'byte ranges|error: 416' "$work/curl"; then
            rm -f -- "$part"
        fi
    fi
    if [ ! -s "$part" ]; then
        code=0
        fetch "$base/$version/$archive" "$part" || code=$?
    fi
    [ $code = 0 ] || die "$base/$version/$archive could not be fetched: $(tail -n 1 "$work/curl")
Run this again to go on; LOGOS_BLOCKCHAIN_CIRCUITS_URL says another place."
}

# wanted_sum: what the archive's checksum is to be.
wanted_sum() {
    local sum=${LOGOS_BLOCKCHAIN_CIRCUITS_SHA256:-}
    if [ -z "$sum" ]; then
        fetch "$base/$version/$archive.sha256" "$work/sum" || die "$base/$version/$archive.sha256: there is no checksum
($(tail -n 1 "$work/curl")). LOGOS_BLOCKCHAIN_CIRCUITS_SHA256 gives it; \"none\" takes the file as it is."
        sum=$(awk 'NR == 1 { print $1 }' "$work/sum")
    fi
    [ "$sum" = none ] || [[ $sum =~ ^[0-9a-f]{64}$ ]] || die "the checksum of $archive is to be 64 hex digits, and is: ${sum:0:80}"
    printf '%s\n' "$sum"
}

# put_in_place NEW: the folder NEW as $dir; the old one is gone when it is there.
put_in_place() {
    local old=''
    if [ -e "$dir" ]; then
        old=$dir.old-$$
        mv -T -- "$dir" "$old"
    fi
    if ! mv -T -- "$1" "$dir"; then
        [ -z "$old" ] || mv -T -- "$old" "$dir"
        die "$dir: the circuits could not be put there (see above)"
    fi
    [ -z "$old" ] || rm -rf -- "$old"
}

if [ $# -gt 2 ] || [[ ${1:-} == -* ]]; then
    die "usage: setup-logos-blockchain-circuits.sh [VERSION] [DIR]" 2
fi
version=${1:-v0.3.1} dir=${2:-$HOME/.logos-blockchain-circuits}
[[ $version =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] || die "VERSION $version: a release as v0.3.1 was expected" 2
base=${LOGOS_BLOCKCHAIN_CIRCUITS_URL:-https://github.com/logos-blockchain/logos-blockchain-circuits/releases/download}
base=${base%/}
archive=logos-blockchain-circuits-$version-linux-$(uname -m).tar.gz
command -v curl >/dev/null || die "There is no curl here. On Debian: apt-get install curl"
dir=$(realpath -m -- "$dir")
mark=$dir/.tfl-circuits # what is in the folder: the name of the archive
mkdir -p -- "$(dirname -- "$dir")"
exec {lock}<"$(dirname -- "$dir")"
flock -n "$lock" || die "$dir: another one of this script is at work in that place"
for left in "$dir".new-?????? "$dir".old-*; do # of one that was killed
    if [[ $left == *.old-* ]] && [ -e "$left" ] && [ ! -e "$dir" ]; then
        mv -T -- "$left" "$dir"
    fi
    rm -rf -- "$left"
done
if [ "$(cat -- "$mark" 2>/dev/null)" = "$archive" ]; then
    say "$dir: $version is there already"
    printf '%s\n' "$dir"
    exit 0
elif [ -e "$dir" ] && [ ! -e "$mark" ] && [ -n "$(find "$dir" \( ! -type d -o ! -empty \) -prune -print)" ]; then
    die "$dir: it is there, and was not made by this script; remove it, or say another folder" 2
fi
work=$(mktemp -d -- "$dir.new-XXXXXX") part=$dir.$archive.part
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT TERM
want=$(wanted_sum)
download
if ! right "$part"; then
    got=$(sum_of "$part")
    rm -f -- "$part"
    die "$archive has the checksum $got, and $want was expected. It was thrown away; $dir is as it was. Run this again to fetch it anew."
fi
mkdir "$work/tree"
if ! tar -xz --force-local --no-same-owner --strip-components=1 --file="$part" -C "$work/tree" 2>"$work/tar"; then
    ! grep -q 'No space left' "$work/tar" || die "no space is left to unpack $part; $dir is as it was"
    rm -f -- "$part"
    die "$archive cannot be unpacked ($(grep -m 1 . "$work/tar")). It was thrown away; $dir is as it was."
fi
[ -n "$(ls -A -- "$work/tree")" ] || die "$archive: there is nothing in it; $dir is as it was"
chmod 755 "$work/tree"
printf '%s\n' "$archive" >"$work/tree/.tfl-circuits"
put_in_place "$work/tree"
rm -f -- "$part"
say "$dir: $version"
printf '%s\n' "$dir"
