# SPDX-License-Identifier: MIT
# bash completion for influxfs(1) and mount.influxfs(8). Options and their values are those of
# influxfs --help.

# "option kind-of-value" a line, of those after -o.
_influxfs_options()
{
    influxfs --help 2>/dev/null | sed -En 's/^  -o ([a-z_]+)(=([^ ]+))?( .*|$)/\1 \3/p'
}

# All that may stand for the last of the comma-separated options in $cur, each with what is before it.
_influxfs_option()
{
    local before=${cur%"${cur##*,}"} last=${cur##*,} name kind value
    local -a words=()
    while read -r name kind; do
        if [[ $last != *=* ]]; then
            words+=("$name${kind:+=}")
            continue
        fi
        [[ $last == "$name="* ]] || continue
        value=${last#*=}
        case $kind in
        DIR) mapfile -t words < <(compgen -d -- "$value") ;;
        LEVEL) words=(error warning info debug) ;;
        USER*) mapfile -t words < <(compgen -u -- "$value") ;;
        NAME*) words=(live snapshots at dump restore) ;;
        *) mapfile -t words < <(grep -xE '[a-z]+' <<<"${kind//|/$'\n'}") ;;
        esac
        # More than one name stands between colons.
        [[ $kind == NAME* && $value == *:* ]] && words=("${words[@]/#/${value%:*}:}")
        words=("${words[@]/#/$name=}")
    done < <(_influxfs_options)
    for value in "${words[@]}"; do
        [[ $value == "$last"* ]] && COMPREPLY+=("$before$value")
    done
}

_influxfs()
{
    local cur prev words cword i word arguments=0
    _init_completion -n =: || return
    local switches='-f -d -h --help -V --version -o'
    [[ ${words[0]} == *mount.influxfs ]] && switches='-s -f -n -v -r -w -N -t -h -V -o'

    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
        -o | -N | -t) ((i++)) ;;
        -*) ;;
        *) ((arguments++)) ;;
        esac
    done
    if [[ $prev == -o ]]; then
        _influxfs_option
        [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
        # readline puts only what follows the last = or : in the place of the word.
        word=${cur%"${cur##*[=:]}"}
        COMPREPLY=("${COMPREPLY[@]#"$word"}")
    elif [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$switches" -- "$cur")
    elif ((arguments == 0)); then
        _filedir
    elif ((arguments == 1)); then
        _filedir -d
    fi
} &&
    complete -F _influxfs influxfs mount.influxfs
