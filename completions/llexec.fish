# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# fish completion for llexec(1).

set -g __llexec_commands probe check explain match diff dump schema load status events unload run

# Whether the command line has one of these commands, before any "--".
function __llexec_using
    set -l words (commandline -opc)
    if set -l separator (contains -i -- -- $words)
        test $argv[1] = run; or return
        return 1
    end
    for word in $words[2..]
        if contains -- $word $__llexec_commands
            contains -- $word $argv
            return
        end
    end
    return 1
end

# Whether there is no command yet.
function __llexec_first
    for word in (commandline -opc)[2..]
        contains -- $word $__llexec_commands; and return 1
    end
    return 0
end

# Whether what is completed belongs to CMD of "run POLICY -- CMD".
function __llexec_command
    set -l words (commandline -opc)
    contains -- run $words; and contains -- -- $words
end

# Policies: files named *.toml or *.json, and directories.
function __llexec_policies
    __fish_complete_path (commandline -ct) | string match -r '^[^\t]*(?:\.toml|\.json|/)(?:\t.*)?$'
end

# VERB:ARGUMENT
function __llexec_accesses
    set -l token (commandline -ct)
    set -l paths read write overwrite truncate exec ioctl unix-connect create mkdir symlink mkfifo mksock mkchar \
        mkblock unlink rmdir rename link
    set -l verb (string replace -r ':.*' '' -- $token)
    if not string match -q '*:*' -- $token
        printf '%s:\n' $paths tcp-bind tcp-connect udp-bind udp-send
        printf '%s\n' unix-abstract signal
    else if contains -- $verb $paths
        set -l head (string replace -r '[^:]*$' '' -- $token)
        printf '%s\n' $head(__fish_complete_path (string replace -r '.*:' '' -- $token))
    end
end

# CMD of "run POLICY -- CMD", with its own arguments.
function __llexec_complete_command
    set -l words (commandline -opc)
    set -l separator (contains -i -- -- $words)
    set -e words[1..$separator]
    complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end

complete -c llexec -f

complete -c llexec -n 'not __llexec_command' -s h -l help -d 'Print a help message and exit'
complete -c llexec -n 'not __llexec_command' -l json -d 'Print facts and errors as JSON'
complete -c llexec -n __llexec_first -l version -d 'Print the version and exit'

complete -c llexec -n __llexec_first -a probe -d 'Tell whether policies can be attached on this kernel'
complete -c llexec -n __llexec_first -a check -d 'Report everything that is wrong with policies'
complete -c llexec -n __llexec_first -a explain -d 'Say what policies allow, and why'
complete -c llexec -n __llexec_first -a match -d 'Say which policies an execution would get'
complete -c llexec -n __llexec_first -a diff -d 'Say what one policy allows and another does not'
complete -c llexec -n __llexec_first -a dump -d 'Show what policies mean, resolved'
complete -c llexec -n __llexec_first -a schema -d 'Print the JSON schema of policies'
complete -c llexec -n __llexec_first -a load -d 'Attach policies to programs at exec'
complete -c llexec -n __llexec_first -a status -d 'Show what is loaded, and what it did'
complete -c llexec -n __llexec_first -a events -d 'Print, once, the executions that matched a policy'
complete -c llexec -n __llexec_first -a unload -d 'Detach all policies; what runs confined stays so'
complete -c llexec -n __llexec_first -a run -d 'Execute a command under policies, without privileges'

complete -c llexec -n '__llexec_using check explain dump run' -l standard -d 'Refuse what Landlock Config does not have'
complete -c llexec -n '__llexec_using check explain dump run' -l compose -d 'Compose all files into one policy'
complete -c llexec -n '__llexec_using check' -l strict -d 'Treat warnings as errors'
complete -c llexec -n '__llexec_using check' -l allow -d 'Silence the lint of that name' -xa '
    cannot-restart cannot-start directory-right-on-file empty-group empty-path ignored-entry kernel-lacks-right
    missing-path missing-program multi-call-program no-match no-refer pointless-rule program-not-executable
    relative-path replaced-by-upgrade rescue-shell same-program scopes-unused script-program set-user-id-program
    single-file-write symlink-path symlink-program udp-unrestricted unhandled-class'
complete -c llexec -n '__llexec_using check' -l text-only -d 'Look at the text of the policies only'
complete -c llexec -n '__llexec_using check' -l sarif -d 'Print the findings as SARIF 2.1.0'
complete -c llexec -n '__llexec_using check' -l abi -d 'Report what that Landlock ABI version does not enforce' -xa '(seq 12)'
complete -c llexec -n '__llexec_using explain' -l abi -d 'Answer for that Landlock ABI version' -xa '(seq 12)'
complete -c llexec -n '__llexec_using match' -l policies -d 'Look at these policies' -xa '(__llexec_policies)'
complete -c llexec -n '__llexec_using match' -l user -d 'Who executes it' -xa '(__fish_complete_users)'
complete -c llexec -n '__llexec_using match' -l cgroup -d 'Where it is executed' \
    -xa '(__fish_complete_directories /sys/fs/cgroup(commandline -ct) | string replace /sys/fs/cgroup "")'
complete -c llexec -n '__llexec_using run' -l exectime -d 'Enforce the policy as CMD is executed, not before'
complete -c llexec -n '__llexec_using dump' -l format -d 'How to write them' -xa 'text toml json landlock-config'
complete -c llexec -n '__llexec_using load' -l enforce-at -d 'The hook where rulesets are applied' \
    -xa 'bprm_committing_creds bprm_creds_for_exec'
complete -c llexec -n '__llexec_using events' -l follow -d 'Wait for more'

complete -c llexec -n '__llexec_using check explain diff dump load run' -xa '(__llexec_policies)'
complete -c llexec -n '__llexec_using explain' -xa '(__llexec_accesses)'
complete -c llexec -n '__llexec_using match' -F
complete -c llexec -n __llexec_command -xa '(__llexec_complete_command)'
