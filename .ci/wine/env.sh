# Settings and functions for running Windows tests under Wine; to be sourced.
#
#   wine_start   keeps one Wine process alive, so that a test starts in 0.1 s
#                instead of 2 s and no Wine service outlives it on its pipes
#   wine_stop    ends that process again
#
# The prefix (Wine's C: drive and registry, about 700 MB) is a cache: it may
# be deleted at any time, setup.sh makes it again in half a minute.

export WINEPREFIX="${WINEPREFIX:-$HOME/.cache/lion-wine}"
export WINEARCH=win64
export WINEDEBUG="${WINEDEBUG:--all}"
# Neither Mono nor Gecko: nothing here is a .NET program or a web page.
export WINEDLLOVERRIDES='mscoree=;mshtml='

lion_wine_pid=

# The process is a command interpreter that waits for input from a pipe whose
# writing end this shell holds; when the shell ends, the interpreter does too.
wine_start() {
	[ -z "$lion_wine_pid" ] || return 0
	exec {lion_wine_input}> >(exec wine cmd /q >/dev/null 2>&1)
	lion_wine_pid=$!
}

wine_stop() {
	[ -n "$lion_wine_pid" ] || return 0
	exec {lion_wine_input}>&-
	kill "$lion_wine_pid" 2>/dev/null || true
	wait "$lion_wine_pid" 2>/dev/null || true
	lion_wine_pid=
}
