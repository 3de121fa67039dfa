#!/bin/bash
# manual.sh BUILD - every option that `isobit COMMAND --help` prints has its line in the command's page and is completed in bash; pages are
# formatted without a warning; an example is printed by --help as it is written, to be pasted. Broken by: a command or an option that the manual's tool
# does not see, a page that is no troff, an example wider than the 79 columns to which --help breaks its lines.
set -eu
isobit=$1/isobit pages=$1/manual failed=0
wrong() { echo "$*"; failed=1; }
. "$pages/isobit"
# what bash offers when TAB is pressed behind a line; compopt works in a true completion alone
compopt() { :; }
complete_line() {
    COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
    _isobit
    printf '%s\n' "${COMPREPLY[@]}"
}
commands=$("$isobit" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ "$(echo "$commands" | wc -l)" -ge 14 ] || wrong "isobit --help lists too few commands: $commands"
offered=$(complete_line "isobit ")
options=0
for c in $commands; do
    grep -qx "$c" <<<"$offered" || wrong "$c is not completed"
    page=$pages/isobit-$c.1
    [ -f "$page" ] || { wrong "$c has no page"; continue; }
    grep -q "isobit.\-$c" "$pages/isobit.1" || wrong "isobit.1 does not name $c"
    help=$("$isobit" "$c" --help | sed -n 's/^\( \{6\}\|  -., \)\(--[a-z0-9-]*\).*/\2/p' | sort)
    diff <(echo "$help") <(complete_line "isobit $c --" | sort) || wrong "$c: the help's options (<) are not the completion's (>)"
    diff <(echo "$help") <(sed -n '/^\.TP/{n;s/\\-/-/g;s/^\(\\fB-.\\fR, \)\{0,1\}\\fB\(--[a-z0-9-]*\)\\fR.*/\2/p}' "$page" | sort) ||
        wrong "$c: the help's options (<) are not the page's (>)"
    options=$((options + $(echo "$help" | wc -l)))
    examples=$(sed -n '/^\.nf/,/^\.fi/{/^\./d;s/\\-/-/g;s/\\:/\n/g;s/\\(aq/\x27/g;s/\\(ha/^/g;s/\\(ti/~/g;s/\\(ga/`/g;s/\\e/\\/g;s/\n//g;p}' "$page")
    [ -n "$examples" ] || wrong "$c: its page has no example"
    while IFS= read -r line; do
        grep -qxF -- "$line" <<<"$("$isobit" "$c" --help)" || wrong "$c: --help breaks the example '$line'"
    done <<<"$examples"
done
expect() { # LINE REPLY...
    local line=$1
    shift
    [ "$(complete_line "$line" | tr '\n' ' ')" = "$* " ] || wrong "'$line' is completed with $(complete_line "$line" | tr '\n' ' '), not $*"
}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
touch "$dir/lenet.h5"
expect "isobit fin" finetune
expect "isobit train --model len" lenet
expect "isobit train --model=len" lenet
expect "isobit train --qat w8a8 --opt" --optim
expect "isobit eval $dir/len" "$dir/lenet.h5"
expect "isobit eval --data idx:$dir/len" "$dir/lenet.h5"
expect "isobit train --device cpu:re" ref
expect "isobit train --device=cpu:re" ref
expect "isobit train --optim " adamw sgd
expect "isobit train -o $dir/len" "$dir/lenet.h5"
expect "isobit train --epochs 1" ""
bash -c 'source "$1"; complete -p isobit' - "$pages/isobit" >/dev/null || wrong "the completion is not registered"
if command -v groff >/dev/null; then
    for page in "$pages"/*.1; do
        warnings=$(groff -ww -man -Tutf8 "$page" 2>&1 >"$dir/text")
        [ -z "$warnings" ] || wrong "$warnings"
        [ "$(wc -l <"$dir/text")" -gt 20 ] || wrong "$page says next to nothing"
    done
else
    echo "groff is missing: the pages were not formatted"
fi
echo "$options options of $(echo "$commands" | wc -l) commands"
exit $failed
