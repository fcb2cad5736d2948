#!/usr/bin/env bash
# Prometheus (and Grafana) that look at the nodes of every run of this user's tfl, until they are taken down again.
#   scripts/setup/setup-observability.sh compose|host up|down|env [--port N] [--grafana-port N]
#     host      the program `prometheus` of this system (Debian's package), as a process of this user; no Grafana
#     compose   Prometheus and Grafana in containers, with the dashboards of assets/stack/monitoring (images are fetched by Docker)
#     up        starts them and prints what env prints; a second time says that they are there
#     down      stops them and removes what they have seen
#     env       lines for `eval`: where tfl finds them
# Both listen at 127.0.0.1 only: 9090 and 3000 unless said otherwise.
set -euo pipefail
root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd -P)
assets=$root/assets/stack/monitoring
state=${XDG_STATE_HOME:-}
[[ $state == /* ]] || state=${HOME:?}/.local/state # the XDG rule: relative ones are ignored
state=$state/tfl
own=$state/observability

die() {
    printf '%s\n' "$1" >&2
    exit "${2:-3}"
}
usage() { die "usage: scripts/setup/setup-observability.sh compose|host up|down|env [--port N] [--grafana-port N]" 2; }

[[ ${1:-} == @(compose|host) && ${2:-} == @(up|down|env) ]] || usage
where=$1 verb=$2 port=9090 grafana=3000
shift 2
while [ $# -gt 0 ]; do
    [[ ${2:-} =~ ^[1-9][0-9]{0,4}$ && $2 -le 65535 ]] || usage
    case $1 in
    --port) port=$2 ;;
    --grafana-port) grafana=$2 ;;
    *) usage ;;
    esac
    shift 2
done

# lives: is the process of host still ours?
lives() {
    local pid
    pid=$(cat "$own/prometheus.pid" 2>/dev/null) && grep -qzxF -- "--config.file=$own/prometheus.yml" "/proc/$pid/cmdline" 2>/dev/null
}

compose() {
    local program=(docker-compose)
    docker compose version >/dev/null 2>&1 && program=(docker compose)
    command -v "${program[0]}" >/dev/null || die "Neither docker compose nor docker-compose is there; install Debian's docker.io and docker-compose."
    TFL_STATE=$state TFL_ASSETS=$assets TFL_PROMETHEUS_PORT=$port TFL_GRAFANA_PORT=$grafana TFL_USER=$(id -u):$(id -g) \
        "${program[@]}" -p tfl-observability -f "$assets/docker-compose.yml" "$@"
}

# answers SECONDS URL WHO LOG…: waits until it answers.
answers() {
    local turn
    for ((turn = 0; turn < $1 * 10; turn++)); do
        curl -fs -o /dev/null --max-time 2 "$2" && return
        [ "$where" = compose ] || lives || break
        sleep 0.1
    done
    [ -z "${4:-}" ] || tail -n 20 "$4" >&2
    die "$3 does not answer at $2"
}

print_env() {
    local file=$own/env
    [ -f "$file" ] || die "Nothing is up; $0 $where up starts it." 2
    cat "$file"
}

up() {
    if [ -f "$own/env" ] && { [ "$(cat "$own/where")" = compose ] || lives; }; then
        [ "$(cat "$own/where")" = "$where" ] || die "They are up already, by $(cat "$own/where"); take them down first." 2
        printf 'They are up already.\n' >&2
        print_env
        return
    fi
    command -v curl >/dev/null || die "curl is missing; install it."
    mkdir -p "$own/data" "$state/targets"
    cp "$assets/prometheus.yml" "$own/prometheus.yml"
    printf '%s\n' "$where" >"$own/where"
    if [ "$where" = host ]; then
        command -v prometheus >/dev/null || die "There is no program prometheus here; install Debian's package prometheus, or use compose."
        curl -s -o /dev/null --max-time 2 "http://127.0.0.1:$port/" && die "Something answers at 127.0.0.1:$port already; say another --port." 2
        setsid prometheus --config.file="$own/prometheus.yml" --storage.tsdb.path="$own/data" --storage.tsdb.retention.time=2d \
            --web.listen-address="127.0.0.1:$port" >"$own/prometheus.log" 2>&1 </dev/null &
        echo $! >"$own/prometheus.pid"
        answers 30 "http://127.0.0.1:$port/-/ready" Prometheus "$own/prometheus.log"
    else
        compose up -d >&2 || {
            compose down -v >&2 || true
            rm -rf -- "$own" "$state/targets"
            die "The containers could not be started; Docker says why above. Where it cannot fetch images, \`docker load\` those that
$assets/docker-compose.yml names, or use Debian's prometheus: $0 host up"
        }
        answers 60 "http://127.0.0.1:$port/-/ready" Prometheus
        answers 60 "http://127.0.0.1:$grafana/api/health" Grafana
    fi
    printf 'export LOGOS_BLOCKCHAIN_METRICS_QUERY_URL=http://127.0.0.1:%s\n' "$port" >"$own/env.new"
    [ "$where" = host ] || printf 'export LOGOS_BLOCKCHAIN_GRAFANA_URL=http://127.0.0.1:%s\n' "$grafana" >>"$own/env.new"
    mv "$own/env.new" "$own/env"
    print_env
}

down() {
    local pid turn
    if [ "$where" = compose ]; then
        compose down -v >&2
    elif lives; then
        pid=$(cat "$own/prometheus.pid")
        kill "$pid"
        for ((turn = 0; turn < 200; turn++)); do
            lives || break
            sleep 0.05
        done
        ! lives || kill -9 "$pid"
    fi
    rm -rf -- "${own:?}" "${state:?}/targets"
}

case $verb in
up) up ;;
down) down ;;
env) print_env ;;
esac
