# Sourced after lib.sh by scripts that need a Docker engine. bash, set -euo pipefail.
# shellcheck shell=bash

# need_docker: the engine's architecture as uname -m calls it, on stdout; or says what is wrong and ends with 3.
need_docker() {
    local said
    command -v docker >/dev/null || die "There is no docker here. On Debian: apt-get install docker.io"
    if ! said=$(timeout 30 docker version --format '{{.Server.Arch}}' 2>&1 </dev/null); then
        case $said in
        *"permission denied"*) die "$(id -un) may not use Docker. Run this as root, or: sudo usermod -aG docker $(id -un), and log in again." ;;
        *"Cannot connect"* | *"connection refused"* | *"error during connect"*)
            die "No Docker engine answers at ${DOCKER_HOST:-unix:///var/run/docker.sock}. Start it: sudo systemctl start docker
(where there is no systemd: sudo dockerd)." ;;
        *) die "Docker cannot be used: ${said:-it did not answer within 30s}" ;;
        esac
    fi
    case $said in
    amd64) echo x86_64 ;;
    arm64) echo aarch64 ;;
    *) echo "$said" ;;
    esac
}

# start_engine LOG: where no engine answers and this is root, starts one until stop_engine. Says so; it is no error when there is none.
engine=''
start_engine() {
    local turn
    ! timeout 30 docker version >/dev/null 2>&1 </dev/null || return 0
    [ "$(id -u)" = 0 ] && command -v dockerd >/dev/null || return 0
    say "no Docker engine runs: starting one (${1#"$root"/})"
    setsid dockerd >"$1" 2>&1 </dev/null &
    engine=$!
    disown "$engine"
    for ((turn = 0; turn < 600; turn++)); do
        ! timeout 30 docker version >/dev/null 2>&1 </dev/null || return 0
        kill -0 "$engine" 2>/dev/null || break
        sleep 0.1
    done
    say "it did not come up: $(grep -v level=info "$1" | tail -n 1)"
}

# stop_engine: ends the one that start_engine started, and waits until it is gone.
stop_engine() {
    [ -n "$engine" ] && kill "$engine" 2>/dev/null || return 0
    timeout 30 tail --pid="$engine" -f /dev/null || kill -KILL "$engine"
    engine=''
}
