# shellcheck shell=bash
# Sourced: `step "what" command...` runs a command under a heading and its time; the first that fails ends the run. On the way out the
# summary says what ran, how long it took, and which step failed.
steps_done=()
steps_started=$SECONDS

step() {
  local what=$1 began=$SECONDS
  shift
  printf '\n==> %s\n' "$what"
  if "$@"; then
    steps_done+=("$(printf '  ok    %5d s  %s' $((SECONDS - began)) "$what")")
  else
    steps_done+=("$(printf '  FAIL  %5d s  %s' $((SECONDS - began)) "$what")")
    exit 1
  fi
}

summary() {
  local code=$?
  printf "\n%s\n" "${steps_title:?the script that sources this says what it is}"
  [ ${#steps_done[@]} = 0 ] || printf '%s\n' "${steps_done[@]}"
  printf '  %s in %d min %02d s\n' "$([ $code = 0 ] && echo passed || echo FAILED)" $(((SECONDS - steps_started) / 60)) $(((SECONDS - steps_started) % 60))
  exit $code
}
trap summary EXIT
