# Words end at blanks here. Bash itself also ends them at ':' and '=': what is before these in a word is not repeated in a reply.
_isobit()
{
    local line=${COMP_LINE:0:COMP_POINT} word before option words
    word=${line##* }
    read -ra before <<<"${line%"$word"}"
    if [ ${#before[@]} -lt 2 ]; then
        words=$(_isobit_words '' '')
    else
        option=${before[-1]}
        case $word in --*=*) option=${word%%=*} word=${word#*=} ;; esac
        words=$(_isobit_words "${before[1]}" "$option") || case $word in
        -*) words=$(_isobit_words "${before[1]}" '') ;;
        *) words=FILE ;;
        esac
    fi
    COMPREPLY=()
    [ "$words" = FILE ] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    if [ "$words" = FILE ] || { [ ${#COMPREPLY[@]} = 0 ] && [[ $word = *:* && $words = *:* ]]; }; then
        mapfile -t COMPREPLY < <(compgen -f -- "${word##*:}")
        compopt -o filenames 2>/dev/null
        return 0
    fi
    [[ $word != *:* ]] || COMPREPLY=("${COMPREPLY[@]#"${word%:*}:"}")
    [ "${#COMPREPLY[@]}" != 1 ] || [[ ${COMPREPLY[0]} != *: ]] || compopt -o nospace 2>/dev/null
    return 0
}
complete -F _isobit isobit
