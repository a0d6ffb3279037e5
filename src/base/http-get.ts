/**
 * A shell function: `s_get HOST PORT PATH [SECONDS]` is an HTTP client, which a bare host need not have. It prints `HTTP` and the status
 * code, and below the body; or the reason why there was no answer.
 */
export const HTTP_GET = String.raw`
s_client='
printf -v cr "\r"
exec 3<>"/dev/tcp/$0/$1" || exit 1
printf "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n" "$2" "$0" >&3
IFS= read -r -u 3 status || { echo "closed the connection without an answer" >&2; exit 1; }
while IFS= read -r -u 3 header && [ "\${header%$cr}" ]; do :; done
IFS= read -r -d "" -u 3 body
status=\${status#* }
printf "HTTP %s\n%s\n" "\${status%% *}" "\${body//$cr/}"'
s_get() {
  s_said=$(timeout "\${4:-3}" bash -c "$s_client" "$1" "$2" "$3" 2>&1)
  case $? in
    0) printf '%s\n' "$s_said" ;;
    124) echo "no answer within \${4:-3} s"; return 1 ;;
    *) [ -n "$s_said" ] || s_said='closed the connection without an answer'
      printf '%s\n' "$s_said" | sed -n '$s/^.*: \([^:]*\)$/\1/; $p'; return 1 ;;
  esac
}
`.replaceAll('\\${', '${');
