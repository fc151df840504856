#!/usr/bin/env bash
# One Apache Kafka broker (KRaft) on 127.0.0.1 from the distribution KAFKA_HOME names.
#   kafka.sh start DIRECTORY PORT [key=value ...]   the controller listens on a free port of its own; returns when the broker answers
#   kafka.sh stop DIRECTORY
#   kafka.sh watch DIRECTORY PID                    stops it and removes DIRECTORY when process PID ends
set -euo pipefail
command=$1 dir=$2
source "$(dirname "$0")/lib.sh"

stop() {
  [ -f "$dir/pid" ] || return 0
  local pid; pid=$(cat "$dir/pid")
  rm -f "$dir/pid"
  # Only if it is still what was started here.
  tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q "$dir/server.properties" || return 0
  kill "$pid" 2>/dev/null || return 0
  for _ in $(seq 300); do
    kill -0 "$pid" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -9 "$pid" 2>/dev/null || true
}

case $command in
start)
  : "${KAFKA_HOME:?KAFKA_HOME must name a Kafka distribution}"
  port=$3; shift 3
  mkdir -p "$dir"
  if [ ! -f "$dir/server.properties" ]; then
    controller=$(free_port)
    cat >"$dir/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$dir/data
num.partitions=1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=8388608
PROPERTIES
    for setting in "$@"; do echo "$setting" >>"$dir/server.properties"; done
    id=$(python3 -c 'import base64, uuid; print("A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22])')
    KAFKA_HEAP_OPTS=-Xmx128m LOG_DIR=$dir/logs "$KAFKA_HOME/bin/kafka-storage.sh" format -t "$id" -c "$dir/server.properties" \
      >"$dir/format.log" 2>&1 || { cat "$dir/format.log" >&2; exit 1; }
  fi
  export LOG_DIR=$dir/logs KAFKA_GC_LOG_OPTS=" " KAFKA_JMX_OPTS=" " KAFKA_HEAP_OPTS=${KAFKA_HEAP_OPTS:-"-Xmx512m -Xms64m"}
  export KAFKA_JVM_PERFORMANCE_OPTS="-server -XX:+UseSerialGC -XX:TieredStopAtLevel=4 -Xshare:auto -Djava.awt.headless=true"
  : >"$dir/console.log"
  setsid "$KAFKA_HOME/bin/kafka-server-start.sh" "$dir/server.properties" >>"$dir/console.log" 2>&1 </dev/null &
  echo $! >"$dir/pid"
  for _ in $(seq 600); do
    if grep -q 'Kafka Server started' "$dir/console.log" && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then exit 0; fi
    kill -0 "$(cat "$dir/pid")" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 30 "$dir/console.log" >&2
  stop
  echo "kafka.sh: the broker did not start" >&2
  exit 1
  ;;
stop) stop ;;
watch) watch "$3" ;;
*) echo "usage: kafka.sh start|stop|watch DIRECTORY ..." >&2; exit 2 ;;
esac
