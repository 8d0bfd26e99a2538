#!/bin/sh
# writ-run: run a command of a CI job under a grant of its own. Usage: writ-run.sh COMMAND [ARGUMENT...]
#
# It signs in with the job's OIDC token, asks for access, waits until people approved where policy wants that, runs the
# command, and ends the grant, also when the job is cancelled. It exits as the command does; with 3 where access was
# denied, with 4 where nobody approved in time. It needs writ, and on GitHub curl.
#
#   WRIT_SERVER      the control plane, https://host:port. Required.
#   WRIT_RESOURCE    the resource. Required.
#   WRIT_KIND        aws (the default): the command's AWS calls go through the edge; postgres: PGHOST and more lead libpq
#                    and what is like it there; kubernetes: KUBECONFIG does.
#   WRIT_REGION      AWS region of the command. Default: what AWS_REGION or AWS_DEFAULT_REGION says.
#   WRIT_FOR         how long the grant lasts. Default 30m.
#   WRIT_WAIT        how long to wait for approval. Default 30m.
#   WRIT_ACTIONS     actions to ask for, with spaces between. Default: what policy permits.
#   WRIT_REASON      what it is for, said before the repository, run, job, ref and runner.
#   WRIT_TICKET, WRIT_TASK   go with the request.
#   WRIT_AUDIENCE    audience of the token. Default writ.
#   WRIT_CA_FILE, WRIT_PIN   what the control plane is known by. Default: the system's CAs.
#   WRIT_CONSOLE     address of the console, for the link to the approval. Default WRIT_SERVER.
#   WRIT_ID_TOKEN    the OIDC token. Default: GitHub is asked for one.
set -eu
umask 077

say() { printf 'writ-run: %s\n' "$*" >&2; }
die() { say "$1"; exit "${2:-1}"; }

# summary LINE: for the page of the run, where there is one.
summary() { [ -z "${GITHUB_STEP_SUMMARY-}" ] || printf '%s\n\n' "$1" >>"$GITHUB_STEP_SUMMARY"; }

dir='' request='' grant='' child='' tunnel='' signalled=''

# on_signal CODE: the command is asked to end, and may take its time over that; a second signal ends the access at once.
# shellcheck disable=SC2317 # called by a trap
on_signal() {
  if [ -z "$child" ] || [ -n "$signalled" ]; then
    signalled=$1
    exit "$1"
  fi
  signalled=$1
  kill -TERM "$child" 2>/dev/null || :
}

# supervised COMMAND...: like COMMAND, but a signal to this script reaches it at once.
supervised() {
  "$@" <&3 &
  child=$!
  code=0
  wait "$child" || code=$?
  while kill -0 "$child" 2>/dev/null; do
    code=0
    wait "$child" || code=$?
  done
  child=''
  return "$code"
}

# member NAME KIND: from the answer of writ, the id of that kind. Quotes within strings are escaped there.
member() { sed -n "s/.*\"$1\": *\"\($2-[A-Za-z0-9-]*\)\".*/\1/p" "$dir/answer" | sed -n 1p; }

# end_access ends the grant, and takes back a request that is pending; one that was granted just now is ended too.
# shellcheck disable=SC2317
end_access() {
  [ -n "$request" ] || request=$(member id req)
  [ -n "$grant" ] || grant=$(member grant grant)
  if [ -z "$grant" ] && [ -n "$request" ] && ! writ withdraw "$request" >/dev/null 2>"$dir/error"; then
    writ wait "$request" --limit 1s -o json >"$dir/answer" 2>"$dir/error"
    grant=$(member grant grant)
    [ -n "$grant" ] || say "$request was not withdrawn: $(cat "$dir/error")"
  fi
  if [ -n "$grant" ] && ! writ revoke "$grant" --reason "the job is over" >/dev/null 2>"$dir/error"; then
    say "$grant was not ended, and lasts until it expires: $(cat "$dir/error")"
  fi
}

# clean_up leaves nothing of this run behind. It runs at every end but that by SIGKILL.
# shellcheck disable=SC2317
clean_up() {
  status=$?
  trap '' HUP INT TERM
  trap - EXIT
  set +e
  [ -z "$tunnel" ] || kill "$tunnel" 2>/dev/null
  [ ! -e "$dir/answer" ] || end_access
  [ ! -e "$dir/home" ] || writ logout >/dev/null 2>&1
  [ -z "$dir" ] || rm -rf "$dir"
  exit "${signalled:-$status}"
}

# context sets what the CI system says of this run. The reason is no other job's, since the same request twice would be one.
context() {
  if [ -n "${GITHUB_ACTIONS-}" ]; then
    run=$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID
    reason="$GITHUB_REPOSITORY run $GITHUB_RUN_ID.$GITHUB_RUN_ATTEMPT job $GITHUB_JOB at $GITHUB_REF on $RUNNER_NAME"
  elif [ -n "${GITLAB_CI-}" ]; then
    run=$CI_JOB_URL
    reason="$CI_PROJECT_PATH job $CI_JOB_ID at $CI_COMMIT_REF_NAME"
  else
    die "this is neither a GitHub Actions job nor a GitLab CI job" 2
  fi
  reason="${WRIT_REASON:+$WRIT_REASON: }$reason"
}

# github_token asks GitHub for a token of this job. Its own token for that goes to curl on standard input.
github_token() {
  [ -n "${ACTIONS_ID_TOKEN_REQUEST_URL-}" ] || die "GitHub gives this job no OIDC token: it needs permissions: id-token: write" 2
  printf 'header = "Authorization: Bearer %s"\nurl = "%s&audience=%s"\n' \
    "$ACTIONS_ID_TOKEN_REQUEST_TOKEN" "$ACTIONS_ID_TOKEN_REQUEST_URL" "$audience" |
    curl --config - --proto '=https' --silent --show-error --fail --max-time 30 --retry 3 |
    sed -n 's/.*"value" *: *"\([A-Za-z0-9._-]*\)".*/\1/p'
}

# sign_in leaves a login in $WRIT_HOME. What could get another token is not for the command.
sign_in() {
  audience=${WRIT_AUDIENCE:-writ}
  case $audience in *[!A-Za-z0-9.:/_-]*) die "WRIT_AUDIENCE has characters that an audience here may not have" 2 ;; esac
  if [ -n "${WRIT_ID_TOKEN-}" ]; then
    printf '%s\n' "$WRIT_ID_TOKEN" >"$dir/id-token"
  elif [ -n "${GITHUB_ACTIONS-}" ]; then
    github_token >"$dir/id-token"
    [ -s "$dir/id-token" ] || die "GitHub gave no OIDC token"
  else
    die "there is no WRIT_ID_TOKEN: the job needs id_tokens" 2
  fi
  unset WRIT_ID_TOKEN ACTIONS_ID_TOKEN_REQUEST_TOKEN ACTIONS_ID_TOKEN_REQUEST_URL
  unset WRIT_TOKEN WRIT_OIDC_TOKEN WRIT_ADMIN_TOKEN
  set -- --oidc-token-file "$dir/id-token"
  [ -z "${WRIT_PIN-}" ] || set -- "$@" --pin "$WRIT_PIN"
  writ login "$@" >&2 || exit
  rm -f "$dir/id-token"
}

# ask files the request and waits for the grant.
ask() {
  set -- "$WRIT_RESOURCE" --for "${WRIT_FOR:-30m}" --reason "$reason" --run "$run"
  [ -z "${WRIT_TICKET-}" ] || set -- "$@" --ticket "$WRIT_TICKET"
  [ -z "${WRIT_TASK-}" ] || set -- "$@" --task "$WRIT_TASK"
  for action in ${WRIT_ACTIONS-}; do set -- "$@" --action "$action"; done
  code=0
  writ request "$@" --no-wait -o json >"$dir/answer" 2>"$dir/error" || code=$?
  request=$(member id req)
  [ "$code" != 4 ] || { code=0 && await_approval || code=$?; }
  if [ "$code" != 0 ]; then
    cat "$dir/error" >&2
    [ "$code" != 3 ] || { request='' && rm -f "$dir/answer"; } # what is denied is over
    exit "$code"
  fi
  grant=$(member grant grant)
  [ -n "$grant" ] || die "writ named no grant"
  say "$grant for $WRIT_RESOURCE"
}

# await_approval waits for people, and says where they can see what they are asked.
await_approval() {
  link=${WRIT_CONSOLE:-$WRIT_SERVER}
  link=${link%/}/approvals/$request
  say "$request waits for approval, up to ${WRIT_WAIT:-30m}: $link"
  summary "Access to \`$WRIT_RESOURCE\` waits for [approval]($link)."
  supervised writ wait "$request" --limit "${WRIT_WAIT:-30m}" -o json >"$dir/answer" 2>"$dir/error" || code=$?
  [ -z "$signalled" ] || exit "$signalled"
  return "$code"
}

# database opens a socket for libpq in a folder that nobody else may enter. User and database are filled in behind it.
database() {
  writ connect "$WRIT_RESOURCE" --grant "$grant" --socket "$dir/pg" >"$dir/url" 2>"$dir/error" &
  tunnel=$!
  while [ ! -s "$dir/url" ]; do
    kill -0 "$tunnel" 2>/dev/null || die "$(cat "$dir/error")"
    sleep 0.1
  done
  unset PGSERVICE PGDATABASE PGPASSWORD PGHOSTADDR
  export PGHOST="$dir/pg" PGPORT=5432 PGUSER=writ PGSSLMODE=disable
}

[ $# -gt 0 ] || die "usage: writ-run.sh COMMAND [ARGUMENT...]" 2
[ -n "${WRIT_SERVER-}" ] || die "WRIT_SERVER is not set: the control plane, https://host:port" 2
[ -n "${WRIT_RESOURCE-}" ] || die "WRIT_RESOURCE is not set: the resource to ask access to" 2
kind=${WRIT_KIND:-aws}
case $kind in aws | postgres | kubernetes) ;; *) die "WRIT_KIND is none of aws, postgres and kubernetes" 2 ;; esac

exec 3<&0
trap clean_up EXIT
trap 'on_signal 129' HUP
trap 'on_signal 130' INT
trap 'on_signal 143' TERM
dir=$(mktemp -d "${TMPDIR:-/tmp}/writ-XXXXXX")
export WRIT_HOME="$dir/home"
context
sign_in
ask
case $kind in
  aws) set -- writ aws exec "$WRIT_RESOURCE" --grant "$grant" ${WRIT_REGION:+--region "$WRIT_REGION"} -- "$@" ;;
  postgres) database ;;
  kubernetes)
    writ kube login "$WRIT_RESOURCE" --grant "$grant" --kubeconfig "$dir/kubeconfig" >&2
    export KUBECONFIG="$dir/kubeconfig"
    ;;
esac
code=0
supervised "$@" || code=$?
exit "$code"
