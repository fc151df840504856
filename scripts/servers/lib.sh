# What the scripts beside it share. They source it, and set `dir`.

# watch PID [ARGUMENT...]: once the process is gone, stops the server (`stop DIR ARGUMENT...`) and removes what a test made.
watch() {
  while kill -0 "$1" 2>/dev/null; do sleep 0.5; done
  "$0" stop "$dir" "${@:2}" || true
  case $dir in /tmp/sluice-test-*) rm -rf "$dir" ;; esac
}

# end SIGNAL NAME...: the processes whose numbers are in DIR/NAME.pid.
end() {
  local name
  for name in "${@:2}"; do
    [ ! -s "$dir/$name.pid" ] || kill "-$1" "$(cat "$dir/$name.pid")" 2>/dev/null || true
    rm -f "$dir/$name.pid"
  done
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
