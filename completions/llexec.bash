# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# bash completion for llexec(1). Needs bash only; bash-completion loads it.

# Policies: files named *.toml or *.json, and directories.
_llexec_policies() {
	local path

	while IFS= read -r path; do
		[[ -d $path || $path == *.toml || $path == *.json ]] && COMPREPLY+=("$path")
	done < <(compgen -f -- "$1")
	compopt -o filenames 2> /dev/null
}

# _llexec_paths WORD [-d]: files, or directories only.
_llexec_paths() {
	mapfile -t COMPREPLY < <(compgen "${2:--f}" -- "$1")
	compopt -o filenames 2> /dev/null
}

_llexec_words() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

# VERB:ARGUMENT
_llexec_accesses() {
	local word=$1 others paths

	paths=(read write overwrite truncate exec ioctl unix-connect create mkdir symlink mkfifo mksock
		mkchar mkblock unlink rmdir rename link)
	others='tcp-bind: tcp-connect: udp-bind: udp-send: unix-abstract signal'
	if [[ $word != *:* ]]; then
		_llexec_words "${paths[*]/%/:} $others" "$word"
		[[ ${COMPREPLY[*]} == *: ]] && compopt -o nospace 2> /dev/null
	elif [[ " ${paths[*]} " == *" ${word%%:*} "* ]]; then
		_llexec_paths "${word##*:}"
		_llexec_prefix "${word%:*}:"
	fi
}

# What completion is about the end of a word: readline replaces what follows a
# word break, or else the whole word.
_llexec_prefix() {
	[[ $COMP_WORDBREAKS == *"${1: -1}"* ]] || COMPREPLY=("${COMPREPLY[@]/#/$1}")
}

# _llexec_values OPTION WORD: false if the option takes no value.
_llexec_values() {
	local word=$2

	case $1 in
	--abi) _llexec_words '1 2 3 4 5 6 7 8 9 10 11 12' "$word" ;;
	--allow)
		_llexec_words 'cannot-restart cannot-start directory-right-on-file empty-group
			empty-path ignored-entry kernel-lacks-right missing-path missing-program
			multi-call-program no-match no-refer pointless-rule program-not-executable
			relative-path replaced-by-upgrade rescue-shell same-program scopes-unused
			script-program set-user-id-program single-file-write symlink-path
			symlink-program udp-unrestricted unhandled-class' "$word"
		;;
	--cgroup)
		_llexec_paths "/sys/fs/cgroup/${word#/}" -d
		COMPREPLY=("${COMPREPLY[@]#/sys/fs/cgroup}")
		;;
	--enforce-at) _llexec_words 'bprm_committing_creds bprm_creds_for_exec' "$word" ;;
	--format) _llexec_words 'text toml json landlock-config' "$word" ;;
	--policies) _llexec_policies "$word" ;;
	--user) mapfile -t COMPREPLY < <(compgen -u -- "$word") ;;
	*) return 1 ;;
	esac
}

_llexec_options() {
	case $1 in
	check) echo --strict --allow --text-only --abi --sarif --standard --compose ;;
	explain) echo --abi --standard --compose ;;
	match) echo --policies --user --cgroup ;;
	dump) echo --format --standard --compose ;;
	load) echo --enforce-at ;;
	events) echo --follow ;;
	run) echo --standard --compose --exectime ;;
	'') echo --version ;;
	esac
}

# What follows "run POLICY --" is a command line of its own.
_llexec_command() {
	local word=$1 first=$2 i

	if ((first)); then
		mapfile -t COMPREPLY < <(compgen -c -- "$word")
		compopt -o filenames 2> /dev/null
	elif declare -F _command_offset > /dev/null; then
		for ((i = 0; i < COMP_CWORD; ++i)); do
			[[ ${COMP_WORDS[i]} == -- ]] && break
		done
		_command_offset $((i + 1))
	else
		_llexec_paths "$word"
	fi
}

_llexec() {
	local commands='probe check explain match diff dump schema load status events unload run'
	local line=${COMP_LINE:0:COMP_POINT} words word last i command='' separator=0

	# Not COMP_WORDS: readline takes VERB:PATH for several words.
	# shellcheck disable=SC2162 # a backslash before a space belongs to the word
	read -a words <<< "$line"
	[[ $line == *[[:space:]] ]] && words+=('')
	last=$((${#words[@]} - 1))
	word=${words[last]}
	COMPREPLY=()
	for ((i = 1; i < last; ++i)); do
		[[ ${words[i]} == -- ]] && { separator=$i; break; }
		[[ -z $command && " $commands " == *" ${words[i]} "* ]] && command=${words[i]}
	done
	if ((separator)) && [[ $command == run ]]; then
		_llexec_command "$word" $((last == separator + 1))
		return
	fi
	if ((!separator)); then
		if [[ $word == --*=* ]]; then
			_llexec_values "${word%%=*}" "${word#*=}" && _llexec_prefix "${word%%=*}="
			return
		fi
		_llexec_values "${words[last - 1]}" "$word" && return
		if [[ $word == -* ]]; then
			_llexec_words "-h --help --json $(_llexec_options "$command")" "$word"
			return
		fi
	fi
	case $command in
	'') _llexec_words "$commands" "$word" ;;
	check | diff | dump | load | run) _llexec_policies "$word" ;;
	explain)
		_llexec_accesses "$word"
		[[ $word == *:* ]] || _llexec_policies "$word"
		;;
	match) _llexec_paths "$word" ;;
	esac
}

complete -F _llexec llexec
