#!/bin/sh
# A cluster of masters only, one server on each port that is given, all reached by 127.0.0.1.
set -e
nodes=""
for port in "$@"; do
  mkdir -p "/data/$port"
  redis-server --port "$port" --dir "/data/$port" --cluster-enabled yes --cluster-node-timeout 1000 \
    --cluster-announce-ip 127.0.0.1 --save "" --appendonly yes --protected-mode no &
  nodes="$nodes 127.0.0.1:$port"
done
for port in "$@"; do until redis-cli -p "$port" ping >/dev/null 2>&1; do sleep 0.2; done; done
if redis-cli -p "$1" cluster info | grep -q cluster_slots_assigned:0; then
  # shellcheck disable=SC2086
  redis-cli --cluster create $nodes --cluster-yes
fi
wait
