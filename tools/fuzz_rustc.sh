#!/bin/sh
# The compiler for `make fuzz`: cargo calls it for this project's own crates, with rustc and its arguments. In the libraries,
# numbers that overflow and assertions that fail are panics, and every place of the program counts how often it is come by, which
# leads the search (tests/fuzz/coverage.rs). Dependencies stay as they are in a release.
rustc=$1
shift
case " $* " in
*" --crate-name autoneural"*" --crate-type lib "*)
    exec "$rustc" "$@" -C instrument-coverage -C overflow-checks=on -C debug-assertions=on
    ;;
*" --crate-name fuzz "*)
    exec "$rustc" "$@" --cfg fuzz_coverage
    ;;
*)
    exec "$rustc" "$@"
    ;;
esac
