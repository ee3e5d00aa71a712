# SPDX-License-Identifier: MIT
# bash completion for influxfs-archive(1), influxfs-fetch(1) and influxfs-dump(1). Options and their
# values are those of their --help.

# What may follow "=" where --help calls it so.
_influxfs_job_value()
{
    case $1 in
    NAME:*)
        mapfile -t COMPREPLY < <(compgen -W "$(rclone listremotes 2>/dev/null)" -- "$cur")
        compopt -o nospace # a folder may follow
        __ltrim_colon_completions "$cur"
        ;;
    DIR | FOLDER) _filedir -d ;;
    PATH | 'CONF|FOLDER') _filedir ;;
    DAY) mapfile -t COMPREPLY < <(compgen -W 'today yesterday' -- "$cur") ;;
    LEVEL) mapfile -t COMPREPLY < <(compgen -W 'error warning info debug' -- "$cur") ;;
    UNIT) mapfile -t COMPREPLY < <(compgen -W 'influxdb.service' -- "$cur") ;;
    COMMAND) mapfile -t COMPREPLY < <(compgen -c -- "$cur") ;;
    USER*) _usergroup -u ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$(grep -xE '[a-z]+' <<<"${1//|/$'\n'}")" -- "$cur") ;;
    esac
}

_influxfs_job()
{
    local cur prev words cword split kind i
    local -A takes=()
    _init_completion -s -n : || return
    for ((i = 1; i < cword; i++)); do
        [[ ${words[i]} != -- ]] || return # what follows are rclone's
    done

    while read -r i kind; do
        takes[$i]=$kind
    done < <("${words[0]}" --help 2>/dev/null | sed -En 's/^  (-., |    )(--[a-z-]+)(=([^ ]+))?( .*|$)/\2 \4/p')
    [[ $prev == -c ]] && prev=--config
    if [[ ${takes[$prev]-} ]]; then
        _influxfs_job_value "${takes[$prev]}"
    elif [[ $cur == -* ]] && ! "$split"; then
        for i in "${!takes[@]}"; do
            [[ $i == "$cur"* ]] && COMPREPLY+=("$i${takes[$i]:+=}")
        done
        [[ ${COMPREPLY[*]} == *= ]] && compopt -o nospace
    fi
} &&
    complete -F _influxfs_job influxfs-archive influxfs-fetch influxfs-dump
