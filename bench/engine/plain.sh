# What plain ssh runs on a host: the same four things by hand. Reads the file from standard input; says what it changed.
umask 022
changed() { echo "changed $1"; }

[ "$(stat -c '%F %a %U:%G' /srv/app 2>/dev/null)" = 'directory 750 root:root' ] || {
  mkdir -p /srv/app && chown root:root /srv/app && chmod 0750 /srv/app && changed directory
} || exit 1

text=$(sed "s/@ADDRESS@/$address/g")
[ "$(cat /srv/app/app.conf 2>/dev/null)" = "$text" ] && [ "$(stat -c '%a %U:%G' /srv/app/app.conf)" = '640 root:root' ] || {
  printf '%s\n' "$text" >/srv/app/app.conf.new && chown root:root /srv/app/app.conf.new && chmod 0640 /srv/app/app.conf.new &&
    mv -f /srv/app/app.conf.new /srv/app/app.conf && changed file
} || exit 1

[ "$(readlink /srv/current)" = /srv/app ] || { ln -sfn /srv/app /srv/current && changed link; } || exit 1

[ -e /srv/app/state ] || { echo ready >/srv/app/state && changed command; } || exit 1
