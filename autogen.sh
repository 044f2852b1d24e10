#!/bin/sh
# Make ./configure from configure.ac; needs autoconf, automake and pkg-config.
set -e
cd "$(dirname "$0")"
mkdir -p build-aux
autoreconf --force --install
echo "now: ./configure [--enable-developer] && make && make check"
