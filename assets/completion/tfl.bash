# Completion of tfl for bash: asks the tfl that is typed what the word may become (tfl help completion).
_tfl() {
    local cur=${COMP_WORDS[COMP_CWORD]} line files=
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
        w*)
            line=${line#w }
            COMPREPLY+=("${line%%$'\t'*}")
            ;;
        f*) files=1 && mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(
            [ "$line" = f ] && compgen -f -- "$cur" && exit
            compgen -f -X "!*.${line#f }" -- "$cur"
            compgen -d -- "$cur"
        ) ;;
        d) files=1 && mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- "$cur") ;;
        esac
    done < <("${COMP_WORDS[0]/#\~/$HOME}" completion "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    [ -z "$files" ] || compopt -o filenames 2>/dev/null
    [[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
}
complete -F _tfl tfl
