#!/bin/sh
# Runs the feeder beside the worker. When the worker ends, the feeder is told to; the worker's status is the container's.
cd "$(dirname "$0")" || exit 1

python feeder.py &
feeder=$!
python worker.py &
worker=$!
trap 'kill -TERM "$feeder" "$worker" 2>/dev/null' TERM INT

wait "$worker"
status=$?
kill -TERM "$feeder" 2>/dev/null
wait "$feeder"
exit "$status"
