import { sh } from '../../base/quote.ts';
import { atLeast, type OsFamily } from './os.ts';

/** Releases on which the tests on real hosts run. */
const provenReleases = ['11', '12', '13'];

/** Services that a package would start and enable by itself, by package. We run these programs under units of our own. */
const services: Readonly<Record<string, string>> = { haproxy: 'haproxy.service' };

const apt = 'apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Options::=--force-confold';

/** Prints what is not installed of its arguments. */
const missing = `f_missing() {
  for f_p in "$@"; do
    case $(dpkg-query -W -f '\${db:Status-Status}' "$f_p" 2>/dev/null) in installed) ;; *) echo "$f_p" ;; esac
  done
}`;

/** What a run that was killed may have left behind of `quiet`. */
const tidy = 'grep -qs slipway-install /usr/sbin/policy-rc.d && rm -f /usr/sbin/policy-rc.d';

/** A run that was killed leaves dpkg's journal, without whose completion apt refuses everything, and work that dpkg had put off. */
const journal = `f_journal() {
  [ -n "$(ls /var/lib/dpkg/updates)$(dpkg --audit)" ] && dpkg --force-confold --configure -a
}`;

/** Reading the lists takes a lock of its own, for which apt has no timeout: on a freshly booted host apt-daily holds it. */
const update = `f_update() {
  f_tries=0
  until f_said=$(${apt} update 2>&1); do
    f_tries=$((f_tries + 1))
    case $f_said in *[Cc]ould\\ not\\ get\\ lock*|*Unable\\ to\\ lock*) [ "$f_tries" -lt 300 ] && sleep 1 && continue ;; esac
    printf '%s\\n' "$f_said" >&2
    return 1
  done
}
f_mend() {
  f_journal
  f_code=$?
  f_update || return "$f_code"
}`;

/**
 * Debian starts and enables what it installs. Masking the unit would prevent both, but also leave it masked when this is killed half way. So a
 * policy-rc.d(8) denies the start for the life of this very process, known by its number and start time, and is harmless when left behind;
 * somebody else's policy is left alone. A preset that lasts until the next boot keeps the unit disabled; Debian 11 does not ask presets, so it is
 * disabled there afterwards.
 */
function quiet(units: readonly string[]): string {
  const names = units.flatMap((unit) => [unit, unit.replace('.service', '')]).join('|');
  return `f_policy=/usr/sbin/policy-rc.d
f_preset=/run/systemd/system-preset/00-slipway-install.preset
trap 'rm -f $f_preset' EXIT
trap 'exit 143' HUP INT TERM
mkdir -p \${f_preset%/*} && echo 'disable ${units.join(' ')}' >$f_preset
if [ ! -e $f_policy ]; then
  trap 'rm -f $f_preset $f_policy' EXIT
  cat >$f_policy <<POLICY
#!/bin/sh
# slipway-install: denies the start of what one process installs, for as long as it lives.
case \\$1 in ${names}) [ "\\$(cut -d' ' -f22 /proc/$$/stat 2>/dev/null)" = "$(cut -d' ' -f22 /proc/$$/stat)" ] && exit 101 ;; esac
exit 0
POLICY
  chmod 0755 $f_policy
fi`;
}

/** Where presets and policy were not asked. Disabling reloads systemd three times, so it is not done for nothing. */
function off(name: string): string {
  const unit = services[name]!;
  return `case " "$f_new" " in *[[:space:]]${name}[[:space:]]*)
  case $(systemctl is-enabled ${unit} 2>/dev/null):$(systemctl is-active ${unit}) in disabled:inactive) ;; *) systemctl disable --quiet --now ${unit} ;; esac
esac`;
}

export const debian: OsFamily = {
  family: 'debian',
  packageManager: 'apt',
  packageCommand: 'apt-get',
  packageNames: {
    haproxy: 'haproxy',
    conntrack: 'conntrack',
    iptables: 'iptables',
    nftables: 'nftables',
    ipset: 'ipset',
    ipvsadm: 'ipvsadm',
    iproute: 'iproute2',
    socat: 'socat',
    ethtool: 'ethtool',
    zstd: 'zstd',
    nfs: 'nfs-common',
    wireguard: 'wireguard-tools',
    kmod: 'kmod',
  },

  recognise({ id, versionId, like }) {
    if (id === 'debian') {
      // Testing and unstable have no version.
      if (versionId === '') return { proven: false };
      return atLeast(versionId, '11')
        ? { proven: provenReleases.includes(versionId) }
        : { proven: false, refused: 'Debian 11 is the oldest release supported' };
    }
    if (id === 'ubuntu')
      return atLeast(versionId, '20.04') ? { proven: false } : { proven: false, refused: 'Ubuntu 20.04 is the oldest release supported' };
    return like.includes('debian') || like.includes('ubuntu') ? { proven: false } : undefined;
  },

  installCommand(packages, { refresh }) {
    const units = packages.filter((name) => name in services);
    // Offline: the packages' scripts would reload systemd, each several times, for units that are new and stay off.
    const install = `SYSTEMD_OFFLINE=1 ${apt} --no-install-recommends install $f_new`;
    return `(
exec </dev/null
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l APT_LISTCHANGES_FRONTEND=none
${missing}
${journal}
${tidy}
${update}
f_new=$(f_missing ${sh`${packages}`})
[ -n "$f_new" ] || exit 0
${units.length === 0 ? '' : quiet(units.map((name) => services[name]!))}
${refresh ? 'f_update || exit\n' : ''}${install} || { f_mend && ${install}; } || exit
${units.map(off).join('\n')}
)`;
  },

  installFilesCommand(packages, { directory, wanted }) {
    const units = wanted.filter((name) => name in services);
    return `(
exec </dev/null
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l APT_LISTCHANGES_FRONTEND=none
${missing}
${journal}
${tidy}
[ -n "$(f_missing ${sh`${packages}`})" ] || exit 0
cd ${sh`${directory}`} || exit
f_all=$(for f_f in *.deb; do echo "$(dpkg-deb --show --showformat '\${Package} \${Version}' "$f_f") $f_f"; done)
f_new=$(f_missing $(echo "$f_all" | cut -d' ' -f1))
f_debs=$(echo "$f_all" | while read -r f_p f_v f_f; do case " "$f_new" " in *[[:space:]]"$f_p"[[:space:]]*) echo "./$f_f" ;; esac; done)
f_newer=$(echo "$f_all" | while read -r f_p f_v f_f; do
  f_h=$(dpkg-query -W -f '\${Version}' "$f_p" 2>/dev/null) || :
  if [ -n "$f_h" ] && dpkg --compare-versions "$f_h" lt "$f_v"; then echo "./$f_f"; fi
done)
f_install() {
  f_tries=0
  until f_said=$(SYSTEMD_OFFLINE=1 dpkg --force-confold --install "$@" 2>&1); do
    f_tries=$((f_tries + 1))
    case $f_said in *lock*) [ "$f_tries" -lt 300 ] && sleep 1 && continue ;; esac
    return 1
  done
}
${units.length === 0 ? '' : quiet(units.map((name) => services[name]!))}
# What is older than what these packages were made with is brought up with them, but only when they will not do without.
f_install $f_debs || f_install $f_debs $f_newer || {
  printf '%s\\n' "$f_said" >&2
  dpkg --purge --force-depends $f_new >/dev/null 2>&1
  exit 1
}
# What nobody asked for goes again with what needed it.
f_auto=$(for f_p in $f_new; do case " ${wanted.join(' ')} " in *" $f_p "*) ;; *) echo "$f_p" ;; esac; done)
[ -z "$f_auto" ] || apt-mark auto $f_auto >/dev/null
${units.map(off).join('\n')}
)`;
  },

  /**
   * What only these packages needed is the difference of what apt would remove by itself after and before: the administrator's own orphans stay.
   * A loss of power in the middle of an installation leaves packages, and those that they need, half installed: dpkg gets to the end of that first.
   */
  removeCommand(packages, { archives, before }) {
    const orphans = `apt-get -s autoremove 2>/dev/null | sed -n 's/^Remv \\([^ ]*\\).*/\\1/p' | sort`;
    return `(
exec </dev/null
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l APT_LISTCHANGES_FRONTEND=none
${journal}
${tidy}
f_in() { dpkg-query -W -f '\${db:Status-Status} \${Package}\\n' | grep -E "^($1) " | cut -d' ' -f2 | sort -u; }
f_reinstall() { dpkg-query -W -f '\${db:Status-Eflag} \${Package}\\n' | sed -n 's/^reinstreq //p'; }
f_wanted=$(printf '%s\\n' ${sh`${packages}`} | sort -u)
f_both() { printf '%s\\n' "$1" "$2" | sort | uniq -d; }
f_half=$(f_in 'unpacked|half-.*')
f_there=$(f_both "$f_wanted" "$(f_in 'installed|config-files|unpacked|triggers-.*|half-.*')")
# What nobody needed before is remembered, for a run that begins after the packages went and before what only they needed did.
f_known=${sh`${before}`}/orphans
[ -n "$f_there$f_half" ] || [ -e "$f_known" ] || exit 0
f_before=$(cat "$f_known" 2>/dev/null) || { f_before=$(${orphans}); [ ! -d ${sh`${before}`} ] || { printf '%s\n' "$f_before" >"$f_known.new" && mv "$f_known.new" "$f_known"; }; }
# dpkg does not know the files of what it has not unpacked to the end, and neither configures nor removes it, though it may call it unpacked.
f_tmp=$(mktemp -d) && trap 'rm -rf "$f_tmp"' EXIT || exit
for f_p in $({ f_in half-installed; f_reinstall; } | sort -u); do
  f_deb=$(find /var/cache/apt/archives ${sh`${archives}`} -type f -name "$f_p[._]*deb" 2>/dev/null | sort | tail -n 1)
  [ -n "$f_deb" ] || f_deb=$(cd "$f_tmp" && apt-get -q download "$f_p" >&2 && ls "$f_tmp/$f_p"_*)
  [ -z "$f_deb" ] || dpkg --force-depends --force-confold --unpack "$f_deb"
done
f_broken=$(f_both "$f_there" "$(f_in 'unpacked|half-.*')")
[ -z "$f_broken" ] || dpkg --purge --force-depends --force-remove-reinstreq $f_broken
f_journal || :
f_there=$(f_both "$f_there" "$(f_in 'installed|config-files')")
[ -z "$f_there" ] || ${apt} purge $f_there || exit
f_more=
for f_p in $(${orphans}); do
  if [ -z "$(f_both "$f_before" "$f_p")" ] || [ -n "$(f_both "$f_half" "$f_p")" ]; then f_more="$f_more $f_p"; fi
done
[ -z "$f_more" ] || ${apt} purge $f_more
)`;
  },
};
