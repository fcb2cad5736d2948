# Sourced by run.sh, test.sh, soak.sh and bench/run.sh: what is missing on this system, and the build. bash, set -euo pipefail.
# All that is said here goes to stderr: stdout belongs to the program that runs afterwards.
# shellcheck shell=bash

root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd -P)

say() { printf '%s\n' "$*" >&2; }
die() {
    say "$1"
    exit "${2:-3}"
}

# wanted GROUP…: the lines of these groups of packages.txt, "NAME CHECK" each.
wanted() {
    awk -v groups=" $* " '/^\[/ { on = index(groups, " " substr($1, 2, length($1) - 2) " ") }
        on && NF == 2 && $1 !~ /^[#[]/' "$root/scripts/setup/packages.txt"
}

# missing_deb GROUP…: the packages that are not installed, one query for all of them.
missing_deb() {
    local list
    list=$(wanted "$@")
    # shellcheck disable=SC2016,SC2046  # dpkg's own ${…}; names hold no spaces
    dpkg-query -W -f '${db:Status-Status} ${Package}\n' $(awk '{ gsub(/[?|]/, " ", $1); print $1 }' <<<"$list") 2>/dev/null |
        awk 'NR == FNR { if ($1 == "installed") have[$2] = 1; next }
             { n = split($1, names, "|"); ok = 0
               for (i = 1; i <= n; i++) { bare = names[i]; sub(/^\?/, "", bare); if (bare in have) ok = 1 }
               if (!ok) print names[1] }' - <(printf '%s\n' "$list")
}

# missing_other GROUP…: the same for systems without dpkg, by looking for what each package brings.
missing_other() {
    local name check
    wanted "$@" | while read -r name check; do
        case $check in
        cmd:*) command -v "${check#*:}" ;;
        pc:*) pkg-config --exists "${check#*:}" || pkg-config --exists lua-5.4 ;;
        h:*) printf '#include <%s>\n' "${check#*:}" | cc -I/usr/include/libev -E - ;;
        py:*) /usr/bin/python3 -c "import ${check#*:}" ;;
        lua:*) lua5.4 -e "require '${check#*:}'" || lua -e "require '${check#*:}'" ;;
        esac >/dev/null 2>&1 || printf '%s\n' "${name%%|*}"
    done
}

in_archive() { apt-cache show -- "$1" >/dev/null 2>&1; }

# install_deb PACKAGE…: with apt-get, as root or by sudo; the package lists are fetched only when they do not know a name or are stale.
install_deb() {
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300) name names=()
    [ "$(id -u)" = 0 ] || apt=(sudo "${apt[@]}")
    for name in "$@"; do
        in_archive "${name#\?}" && continue
        "${apt[@]}" update >&2 || return
        break
    done
    for name in "$@"; do
        if [[ $name != \?* ]] || in_archive "${name#\?}"; then
            names+=("${name#\?}")
        fi
    done
    "${apt[@]}" install -y --no-install-recommends "${names[@]}" </dev/null >&2 && return
    say "apt-get failed; once more with fresh package lists"
    "${apt[@]}" update >&2 && "${apt[@]}" install -y --no-install-recommends "${names[@]}" </dev/null >&2
}

# ensure_packages YES GROUP…: installs what is missing, or says what to do and ends with 2. YES = 1, or CI=true, asks nobody.
ensure_packages() {
    local yes=$1 missing=() required=0 name answer
    shift
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        mapfile -t missing < <(missing_other "$@")
        [ ${#missing[@]} = 0 ] && return
        die "This system has no apt. Install what Debian calls: ${missing[*]#\?}
then run this again." 2
    fi
    mapfile -t missing < <(missing_deb "$@")
    for name in "${missing[@]}"; do
        if [[ $name != \?* ]] || in_archive "${name#\?}"; then
            required=1
        fi
    done
    [ $required = 1 ] || return 0
    say "missing packages: ${missing[*]#\?}"
    if [ "$yes" != 1 ] && [ "${CI:-}" != true ]; then
        if [ -t 0 ] && [ -t 2 ]; then
            read -r -p "Install them with apt-get now? [Y/n] " answer
            [[ $answer == "" || $answer == [yY]* ]] || die "Nothing was installed." 2
        elif [ "$(id -u)" != 0 ]; then
            die "Run: sudo apt-get install --no-install-recommends ${missing[*]#\?}
or call this again with --yes." 2
        fi
    fi
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die "There is no sudo here. As root, run:
apt-get install --no-install-recommends ${missing[*]#\?}" 2
    install_deb "${missing[@]}" || die "The packages could not be installed (see above): ${missing[*]#\?}" 3
}

# watch_build DIR LOG: runs ninja in DIR with its output in LOG; on a terminal its progress is one line, elsewhere a word when it takes
# longer than a moment. (A dry run cannot tell whether there is work: it always finds the globbed folders to be checked.)
watch_build() {
    local dir=$1 log=$2 pid turn
    ninja -C "$dir" -k 0 >"$log" 2>&1 </dev/null &
    pid=$!
    # shellcheck disable=SC2064 # the pid of now
    trap "kill $pid 2>/dev/null; exit 130" INT TERM # a shell's background program does not hear Ctrl-C itself
    for ((turn = 0; turn == 0 || $(jobs -rp | wc -l) > 0; turn++)); do
        if [ -t 2 ] && [ $turn -gt 10 ]; then
            printf '\r%-79.79s' "${dir##*/}: $(tail -n 1 "$log")" >&2
        elif [ $turn = 10 ]; then
            say "building (build/${dir##*/})"
        fi
        sleep 0.05
    done
    [ ! -t 2 ] || [ $turn -le 10 ] || printf '\r%79s\r' '' >&2
    trap - INT TERM
    wait "$pid"
}

# build PRESET [-DNAME=VALUE…]: configures when that was never done or the presets changed (ninja sees all other changes itself), and
# builds. Silent when up to date; a failure is shown in full. One build of a preset at a time.
build() {
    local preset=$1 dir=$root/build/$1 log lock
    shift
    mkdir -p "$dir"
    log=$dir/build.log
    exec {lock}>"$root/build/.lock-$preset"
    flock "$lock"
    if [ -f "$dir/CMakeCache.txt" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$dir/CMakeCache.txt"; then
        rm -rf -- "${dir:?}" # the checkout was moved or copied: CMake cannot use it any more
        mkdir -p "$dir"
    fi
    if [ ! -f "$dir/build.ninja" ] || [ "$root/CMakePresets.json" -nt "$dir/.configured" ] || [ "$*" != "$(cat "$dir/.configured")" ]; then
        say "configuring (build/$preset)"
        (cd "$root" && cmake --preset "$preset" "$@") >"$log" 2>&1 {lock}>&- || {
            cat "$log" >&2
            die "CMake could not configure build/$preset (its output is above)."
        }
        printf '%s\n' "$*" >"$dir/.configured"
    fi
    watch_build "$dir" "$log" {lock}>&- || {
        grep -v '^\[[0-9]*/[0-9]*\] ' "$log" >&2 || true
        die "The build of build/$preset failed (its output is above, all of it in build/$preset/build.log)."
    }
    exec {lock}>&-
}
