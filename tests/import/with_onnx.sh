#!/bin/sh
# with_onnx.sh PYTHON SCRIPT ARGUMENT... - runs a test in the Python that scripts/runtimes makes; 77 (skipped) where there is none, unless
# ISOBIT_REQUIRE_RUNTIMES is set.
[ -x "$1" ] || { [ -n "${ISOBIT_REQUIRE_RUNTIMES:-}" ] && exit 1 || exit 77; }
exec "$@"
