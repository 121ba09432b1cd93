#!/bin/sh
# What `make test` runs of the crash loop.
exec "$(dirname "$0")/run.sh" --rounds 30
