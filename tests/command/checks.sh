# checks.sh - what scripts of commands check by: . "$source/tests/command/checks.sh" in a folder of their own, where out and err are the last
# command's.
passed=0 failed=0
check() { # check NAME CONDITION...
    local name=$1; shift
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $name"; [ -f err ] && tail -n 5 err | sed 's/^/    /'; fi
}
fails() { # fails CODE TEXT COMMAND...: exits with CODE, TEXT in the last line on stderr
    local code=$1 text=$2; shift 2
    "$@" >out 2>err
    local got=$?
    if [ $got -ne "$code" ] || ! tail -n 1 err | grep -qF -- "$text"; then
        failed=$((failed + 1)); echo "FAILED: '${*:2}' exits $got (want $code), says:"; tail -n 2 err | sed 's/^/    /'; echo "    want: $text"
    else
        passed=$((passed + 1))
    fi
}
