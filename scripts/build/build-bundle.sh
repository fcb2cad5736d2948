#!/usr/bin/env bash
# Makes a bundle: all that a node needs to run, in one file, for tfl (LOGOS_BLOCKCHAIN_BINARIES_TAR) and build_test_image.sh.
#   scripts/build/build-bundle.sh --platform linux|host [--output FILE] [--from DIR] [--yes]
#     --platform   linux: with all shared libraries and their loader, for any Linux of this architecture and for images;
#                  host: the libraries of this system are used
#     --output     default build/tfl-bundle-VERSION-PLATFORM-ARCH.tar.gz
#     --from       folder with programs that are built already; default: the release build, which is brought up to date
#     --yes        install packages without asking
# LOGOS_BLOCKCHAIN_NODE_BIN=PROGRAM puts a logos-blockchain-node in as well. The same programs and libraries give the same bytes.
# The last line of stdout is the path of the bundle. Exit 2: wrong arguments or programs; 3: it could not be made.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../setup/lib.sh"

programs=(tfl-node tfl-relay) # what the release build puts into a bundle; a folder of others may have no tfl-relay

# elf_of FILE: class, byte order and machine as hex, nothing when it is no ELF program.
elf_of() {
    od -An -v -tx1 -N20 -- "$1" | tr -d ' \n' | sed -nE 's/^7f454c46(....).{24}(....)$/\1\2/p'
}

# add_libraries PROGRAM: copies what it is linked with to lib/, the loader too.
add_libraries() {
    local path
    while read -r path; do
        [ -e "$tree/lib/${path##*/}" ] || cp -L -- "$path" "$tree/lib/"
    done < <(awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }' <<<"$1")
}

# add_program NAME PATH: the program as bin/NAME, and NAME, which runs it.
add_program() {
    local linked elf missing
    if [ ! -f "$2" ] || [ ! -r "$2" ] || [ ! -x "$2" ]; then
        die "$1: $2 is no program that can be read and run" 2
    fi
    cp -L -- "$2" "$tree/bin/$1"
    ln -s run_nomos_node.sh "$tree/$1"
    [ "$platform" = linux ] || return 0
    elf=$(elf_of "$2")
    [ -n "$elf" ] || die "$1: $2 is no ELF program, so its libraries are not known; --platform host takes it as it is" 2
    [ "$elf" = "$(elf_of /proc/self/exe)" ] || die "$1: $2 is for another architecture than this machine's ($arch)" 2
    linked=$(LC_ALL=C ldd "$2" 2>&1) || true
    missing=$(awk '/=> not found/ { printf " %s", $1 }' <<<"$linked")
    [ -z "$missing" ] || die "$1: $2 needs libraries that are not on this system:$missing" 2
    case $linked in
    *"statically linked"* | *"not a dynamic executable"*) ln -sf "bin/$1" "$tree/$1" ;; # a loader could not run it
    *) add_libraries "$linked" ;;
    esac
}

platform='' output='' from='' yes=0
while [ $# -gt 0 ]; do
    case $1 in
    --platform) platform=${2:-} && shift ;;
    --output) output=${2:?--output needs a file} && shift ;;
    --from) from=${2:?--from needs a folder} && shift ;;
    --yes) yes=1 ;;
    *) die "usage: build-bundle.sh --platform linux|host [--output FILE] [--from DIR] [--yes]" 2 ;;
    esac
    shift
done
[ "$platform" = linux ] || [ "$platform" = host ] || die "--platform ${platform:-?}: linux or host was expected" 2
arch=$(uname -m)
version=$(sed -nE 's/^project\(tfl VERSION ([0-9.]+).*/\1/p' "$root/CMakeLists.txt")
name=tfl-bundle-$version-$platform-$arch
output=${output:-$root/build/$name.tar.gz}
if [ -z "$from" ]; then
    ensure_packages "$yes" run
    build release
    from=$root/build/release/bin
fi

work=$(mktemp -d)
new='' # the bundle until it is whole
trap 'rm -rf -- "$work" ${new:+"$new"}' EXIT
trap 'exit 130' INT TERM
tree=$work/$name
mkdir -p "$tree/bin"
[ "$platform" = host ] || mkdir "$tree/lib"
cp -- "$root/assets/stack/run_nomos_node.sh" "$tree/"
for program in "${programs[@]}"; do
    [ "$program" = tfl-node ] || [ -e "$from/$program" ] || continue
    add_program "$program" "$from/$program"
done
if [ -n "${LOGOS_BLOCKCHAIN_NODE_BIN:-}" ]; then
    add_program logos-blockchain-node "$LOGOS_BLOCKCHAIN_NODE_BIN"
fi
printf 'version=%s\nplatform=%s\narch=%s\n' "$version" "$platform" "$arch" >"$tree/VERSION"
(cd "$tree" && find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum >"$work/sums" && mv "$work/sums" SHA256SUMS)

mkdir -p -- "$(dirname -- "$output")"
new=$(mktemp -- "$output.XXXXXX")
tar -c -C "$work" --format=gnu --sort=name --mtime='2000-01-01 00:00Z' --owner=0 --group=0 --numeric-owner \
    --mode='u=rwX,go=rX' -- "$name" | gzip -n >"$new" || die "$output: the bundle could not be written (see above)"
chmod 644 "$new"
mv -- "$new" "$output"
say "$(du -h -- "$output" | cut -f1) $(sha256sum <"$output" | cut -c1-16)"
printf '%s\n' "$output"
