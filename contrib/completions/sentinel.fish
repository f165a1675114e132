function __sentinel_complete
    set -l unfinished (commandline -ct)
    set -l found (sentinel --complete fish (commandline -opc) "$unfinished" 2>/dev/null)
    switch "$found[1]"
        case :files
            __fish_complete_path "$unfinished"
        case :dirs
            __fish_complete_directories "$unfinished"
        case '*'
            printf '%s\n' $found
    end
end
complete -c sentinel -f -a '(__sentinel_complete)'
