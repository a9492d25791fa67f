#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Small EROFS images of one tree in every layout that mkfs.erofs makes: make_corpus.sh FOLDER
set -eu
out=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$out" "$tree/d/e"
seq 1 2500 >"$tree/text"
head -c 9000 /dev/zero >"$tree/zeros"
head -c 3000 /dev/urandom >"$tree/noise"
for n in 1 2 3 4 5 6 7 8 9; do seq 1 $((n * n * 20)) >"$tree/d/n$n"; done
ln -s d/e "$tree/link"
: >"$tree/empty"
setfattr -n user.a -v value "$tree/text" 2>/dev/null || true
make() {
	name=$1
	shift
	rm -f "$out/$name"
	mkfs.erofs --quiet -T 1 "$@" "$out/$name" "$tree" >/dev/null
}
make plain
make extended -E force-inode-extended
make chunked --chunksize=4096
make indexes --chunksize=4096 -E force-chunk-indexes
make lz4 -zlz4
make legacy -zlz4 -E legacy-compress
make big -zlz4 -C16384
make tail -zlz4 -E ztailpacking
make tailfull -zlz4 -C16384 -E ztailpacking,legacy-compress
