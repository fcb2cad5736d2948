#!/bin/sh
# Runs a program of this bundle with the bundle's own libraries, and becomes it: the program by whose name this is called (each has
# such a link beside this file), else tfl-node. All arguments are the program's.
set -eu
self=$(readlink -f -- "$0")
here=${self%/*}
name=${0##*/}
[ "$name" != run_nomos_node.sh ] || name=tfl-node
for loader in "$here"/lib/ld*.so.*; do
    [ ! -e "$loader" ] || exec "$loader" --library-path "$here/lib" "$here/bin/$name" "$@"
done
exec "$here/bin/$name" "$@" # a bundle for this host has no lib/
