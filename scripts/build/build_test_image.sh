#!/usr/bin/env bash
# Makes the image of the nodes out of a bundle, FROM scratch: no registry is asked for anything.
#   scripts/build/build_test_image.sh [--bundle FILE] [--base IMAGE] [--circuits DIR] [--yes]
#     --bundle     made by build-bundle.sh --platform linux; default: LOGOS_BLOCKCHAIN_BINARIES_TAR, else one is made
#     --base       an image that is here already and is to lie below the bundle (for a shell and tools in the containers)
#     --circuits   goes to /opt/circuits; default: LOGOS_BLOCKCHAIN_CIRCUITS, else none
#     --yes        install packages without asking
# LOGOS_BLOCKCHAIN_TESTNET_IMAGE names the image (logos-blockchain-testing:local). One that was made of the same things stays as it is,
# unless LOGOS_BLOCKCHAIN_FORCE_IMAGE_BUILD=1. LOGOS_BLOCKCHAIN_SKIP_IMAGE_BUILD=1: what is there is used, whatever it was made of.
# Any value of these two but 0 and false is as good as 1.
# The last line of stdout is the name. An image that was replaced is removed. Exit 2: wrong arguments or files; 3: it could not be made.
set -euo pipefail
here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
# shellcheck source=scripts/setup/lib.sh
. "$here/../setup/lib.sh"
# shellcheck source=scripts/setup/docker.sh
. "$here/../setup/docker.sh"

set_to_yes() { [[ ! ${1:-} =~ ^(0|false|)$ ]]; }
id_of() { docker image inspect --format '{{.Id}}' "$1" 2>/dev/null </dev/null || true; }

# unpack: the bundle to $root_dir/opt/tfl, after checks.
unpack() {
    local said arch platform
    mkdir -p "$root_dir/opt/tfl"
    said=$(tar -xz --force-local --no-same-owner --strip-components=1 --file="$bundle" -C "$root_dir/opt/tfl" 2>&1) || case $said in
    *"No space left"*) die "no space is left below $work to unpack $bundle" ;;
    *) die "$bundle: it cannot be unpacked, so it is truncated or no bundle ($(grep -m 1 . <<<"$said"))" 2 ;;
    esac
    arch=$(sed -n 's/^arch=//p' "$root_dir/opt/tfl/VERSION" 2>/dev/null) || die "$bundle: it is no bundle of build-bundle.sh" 2
    platform=$(sed -n 's/^platform=//p' "$root_dir/opt/tfl/VERSION")
    [ "$platform" = linux ] || die "$bundle: it is for $platform, without libraries; build-bundle.sh --platform linux makes one for images" 2
    [ "$arch" = "$engine_arch" ] || die "$bundle: it is for $arch, and the Docker engine is for $engine_arch" 2
    said=$(cd "$root_dir/opt/tfl" && LC_ALL=C sha256sum --check --quiet --strict SHA256SUMS 2>&1) ||
        die "$bundle: its files are not those it was made of ($(head -n 1 <<<"$said")); get or make it anew" 2
}

# lay_out: the programs of the bundle where exec finds them (see assets/stack/Dockerfile).
lay_out() {
    local program
    mkdir -p "$root_dir/usr/local/bin"
    for program in "$root_dir"/opt/tfl/bin/*; do
        program=${program##*/}
        if [ -n "$base" ]; then
            ln -s "/opt/tfl/$program" "$root_dir/usr/local/bin/$program"
        else
            ln -s "/opt/tfl/bin/$program" "$root_dir/usr/local/bin/$program"
        fi
    done
    if [ -z "$base" ]; then
        ln -s opt/tfl/lib "$root_dir/lib"
        ln -s opt/tfl/lib "$root_dir/lib64"
    fi
}

# context: what the engine builds from, as a tar file.
context() {
    local extra=()
    [ -z "$circuits" ] || extra=(-C "$circuits" --transform='s,^\.$,root/opt/circuits,S' --transform='s,^\./,root/opt/circuits/,S' .)
    tar -c --owner=0 --group=0 --numeric-owner -C "$root/assets/stack" Dockerfile -C "$work" root "${extra[@]}"
}

# forget ID…: removes images that nothing is named after.
forget() {
    local id
    for id in "$@"; do
        [ "$(docker image inspect --format '{{len .RepoTags}}' "$id" 2>/dev/null </dev/null)" = 0 ] || continue
        docker image rm "$id" >/dev/null 2>"$work/rm" </dev/null || say "the image that was replaced stays, a container still uses it:
$(cat "$work/rm")"
    done
}

# clean_up: the folder, and what a build that did not come to its end has left in the engine.
clean_up() {
    [ -z "$building" ] || mapfile -t left < <(docker image ls --quiet --no-trunc --filter dangling=true \
        --filter "label=tfl.inputs=$inputs" </dev/null 2>/dev/null)
    forget "${left[@]}"
    rm -rf -- "$work"
}

bundle=${LOGOS_BLOCKCHAIN_BINARIES_TAR:-} base='' circuits=${LOGOS_BLOCKCHAIN_CIRCUITS:-} yes=()
image=${LOGOS_BLOCKCHAIN_TESTNET_IMAGE:-logos-blockchain-testing:local}
while [ $# -gt 0 ]; do
    case $1 in
    --bundle) bundle=${2:?--bundle needs a file} && shift ;;
    --base) base=${2:?--base needs an image} && shift ;;
    --circuits) circuits=${2:?--circuits needs a folder} && shift ;;
    --yes) yes=(--yes) ;;
    *) die "usage: build_test_image.sh [--bundle FILE] [--base IMAGE] [--circuits DIR] [--yes]" 2 ;;
    esac
    shift
done
engine_arch=$(need_docker)
if set_to_yes "${LOGOS_BLOCKCHAIN_SKIP_IMAGE_BUILD:-}"; then
    ! set_to_yes "${LOGOS_BLOCKCHAIN_FORCE_IMAGE_BUILD:-}" ||
        die "LOGOS_BLOCKCHAIN_SKIP_IMAGE_BUILD and LOGOS_BLOCKCHAIN_FORCE_IMAGE_BUILD are both set; unset one" 2
    [ -n "$(id_of "$image")" ] || die "LOGOS_BLOCKCHAIN_SKIP_IMAGE_BUILD is set, and there is no image $image here; unset it to make one" 2
    say "$image: used as it is"
    printf '%s\n' "$image"
    exit 0
fi
[ -z "$base" ] || [ -n "$(id_of "$base")" ] || die "--base $base: there is no such image here, and none is pulled; docker pull $base" 2
[ -z "$circuits" ] || [ -n "$(find "$circuits/" -type f -print -quit 2>/dev/null)" ] || die "circuits $circuits: there is no file in that
folder; scripts/setup/setup-logos-blockchain-circuits.sh fetches them" 2
[ -n "$bundle" ] || bundle=$("$here/build-bundle.sh" --platform linux "${yes[@]}" | tail -n 1)
[ -f "$bundle" ] || die "$bundle: there is no such bundle; build-bundle.sh --platform linux makes one" 2

mkdir -p "$root/build"
exec {lock}>"$root/build/.lock-image"
flock "$lock"
inputs=$({
    sha256sum <"$bundle"
    [ -z "$base" ] || id_of "$base"
    [ -z "$circuits" ] || (cd "$circuits" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
    cat "$root/assets/stack/Dockerfile" "$here/build_test_image.sh"
} | sha256sum | cut -d ' ' -f 1)
old=$(id_of "$image")
cache=()
if set_to_yes "${LOGOS_BLOCKCHAIN_FORCE_IMAGE_BUILD:-}"; then
    cache=(--no-cache)
elif [ -n "$old" ] && [ "$(docker image inspect --format '{{index .Config.Labels "tfl.inputs"}}' "$image" </dev/null)" = "$inputs" ]; then
    say "$image: up to date"
    printf '%s\n' "$image"
    exit 0
fi

work=$(mktemp -d) building='' left=()
root_dir=$work/root
trap clean_up EXIT
trap 'exit 130' INT TERM
unpack
lay_out
building=1
if ! context 2>"$work/tar" | docker build --force-rm "${cache[@]}" --build-arg "BASE=${base:-scratch}" --build-arg "INPUTS=$inputs" \
    --tag "$image" - >"$work/log" 2>&1; then
    cat "$work/tar" "$work/log" >&2
    ! grep -qi 'no space left' "$work/log" || die "no space is left where Docker keeps its images: $(docker info --format '{{.DockerRootDir}}')"
    die "$image could not be built (the output of docker build is above)"
fi
building=''
[ -z "$old" ] || forget "$old"
say "$image: made of $bundle"
printf '%s\n' "$image"
