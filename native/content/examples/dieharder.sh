#!/bin/sh
# The tests of `dieharder -a` over one order of content: dieharder.sh counter, or dieharder.sh unit. All tests read one
# stream, each on from where the last one ended; of the 33 lags of rgb_lagged_sum, which take most of the time, it has six.
set -eu
cd "$(dirname "$0")/../../.."
cargo build --quiet --release -p seedstorm-content --example randomness
run() { dieharder -g 200 "$@"; }
"${CARGO_TARGET_DIR:-target}/release/examples/randomness" "$1" | {
  for d in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 100 101 102; do run -d "$d"; done
  for n in 1 2 3 4 5 6 7 8 9 10 11 12; do run -d 200 -n "$n"; done
  for n in 2 3 4 5; do run -d 201 -n "$n" -t 10000 -p 1000; run -d 202 -n "$n"; done
  for n in 0 1 3 7 15 31; do run -d 203 -n "$n"; done
  for d in 204 205 206 207 208 209; do run -d "$d"; done
}
