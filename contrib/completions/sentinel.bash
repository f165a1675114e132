_sentinel_completion() {
    local IFS=$'\n' line="${COMP_LINE:0:$COMP_POINT}" words word
    # The words as they were typed: bash has broken COMP_WORDS at characters such as @ and =.
    IFS=$' \t\n' read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    COMPREPLY=($(COMP_WORDBREAKS="$COMP_WORDBREAKS" sentinel --complete bash "${words[@]}" 2>/dev/null))
    case "${COMPREPLY[0]-}" in
        :files) COMPREPLY=(); compopt -o bashdefault -o default ;;
        :dirs) COMPREPLY=(); compopt -o dirnames ;;
    esac
}
complete -F _sentinel_completion sentinel
