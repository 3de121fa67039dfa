#!/bin/sh
# headers.sh INCLUDE - each public header alone compiles as C11 and as C++11 without a warning.
set -eu
failed=0
for h in "$1"/isobit/*.h; do
    name=isobit/$(basename "$h")
    printf '#include <%s>\nint main(void) { return 0; }\n' "$name" >"${TMPDIR:-/tmp}/isobit-header-$$.c"
    for compiler in "cc -std=c11 -x c" "c++ -std=c++11 -x c++"; do
        $compiler -Wall -Wextra -pedantic -Werror -fsyntax-only -I"$1" "${TMPDIR:-/tmp}/isobit-header-$$.c" || { echo "FAILED: $name with $compiler"; failed=1; }
    done
done
rm -f "${TMPDIR:-/tmp}/isobit-header-$$.c"
exit $failed
