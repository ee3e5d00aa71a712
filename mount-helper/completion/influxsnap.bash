# SPDX-License-Identifier: MIT
# bash completion for influxsnap(1). Commands, options and their values are those of its --help.

# "--option kind-of-value" a line, of a command or of all of them.
_influxsnap_options()
{
    "${words[0]}" "$@" --help 2>/dev/null |
        sed -En 's/^  (-., |    )(--[a-z-]+)(=([^ ]+))?( .*|$)/\2 \4/p'
}

# What may follow "=" where --help calls it so.
_influxsnap_value()
{
    case $1 in
    DIR) _filedir -d ;;
    PATH | 'CONF|FOLDER') _filedir ;;
    LEVEL) mapfile -t COMPREPLY < <(compgen -W 'error warning info debug' -- "$cur") ;;
    USER*) _usergroup -u ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$(grep -xE '[a-z]+' <<<"${1//|/$'\n'}")" -- "$cur") ;;
    esac
}

# The numbers of the cuts of the store that the line names, if it may be read.
_influxsnap_cuts()
{
    local -a store=()
    local i
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
        -c | --config | --meta | --data | --wal | --state) store+=("${words[i]}" "${words[i + 1]}") ;;
        --config=* | --meta=* | --data=* | --wal=* | --state=*) store+=("${words[i]}") ;;
        esac
    done
    "${words[0]}" "${store[@]}" list 2>/dev/null | awk '$1 ~ /^[0-9]+$/ { print $1 }'
}

_influxsnap()
{
    local cur prev words cword split command='' kind='' i argument=0
    local -A takes=()
    _init_completion -s || return

    while read -r i kind; do
        takes[$i]=$kind
    done < <(_influxsnap_options)
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
        -c) ((i++)) ;;
        -*) [[ ${takes[${words[i]}]-} ]] && ((i++)) ;; # its value is the next word
        *) [[ $command ]] && ((argument++)) || command=${words[i]} ;;
        esac
    done
    if [[ $command ]]; then
        while read -r i kind; do
            takes[$i]=$kind
        done < <(_influxsnap_options "$command")
    fi

    [[ $prev == -c ]] && prev=--config
    if [[ ${takes[$prev]-} ]]; then
        _influxsnap_value "${takes[$prev]}"
    elif "$split"; then
        return
    elif [[ $cur == -* ]]; then
        for i in "${!takes[@]}"; do
            [[ $i == "$cur"* ]] && COMPREPLY+=("$i${takes[$i]:+=}")
        done
        [[ ${COMPREPLY[*]} == *= ]] && compopt -o nospace
    elif [[ ! $command ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$("${words[0]}" --help 2>/dev/null |
            sed -En 's/^  ([a-z][a-z-]*) .*/\1/p')" -- "$cur")
    elif [[ $command =~ ^(clone|rollback)$ && $argument == 0 ]]; then
        mapfile -t COMPREPLY < <(compgen -W "base latest $(_influxsnap_cuts)" -- "$cur")
        [[ " ${words[*]} " == *' --remove '* ]] && _filedir -d
    elif [[ $command == clone ]]; then
        _filedir -d
    elif [[ $command =~ ^(backup|restore|verify)$ ]]; then
        _filedir
    fi
} &&
    complete -F _influxsnap influxsnap
