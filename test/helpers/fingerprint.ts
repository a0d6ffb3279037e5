/**
 * Shell text that prints what a host is made of, as lines: files with modes, owners and contents, links, users, units, interfaces, addresses,
 * routes, packet filter, kernel parameters, mounts, packages and processes. Left out is what any boot or package changes by itself (of logs the
 * contents, and those of package managers wholly; what appears with a module that the kernel loads by itself for a packet filter), and systemd-modules-load, which fails at a boot in a container that may not load modules.
 */
export const FINGERPRINT = `
find / /var -xdev \\( -path /proc -o -path /sys -o -path /run/systemd -o -path /var/log/journal -o -path /var/lib/systemd -o -path /var/cache -o -path /var/lib/apt -o -path /tmp -o -path /var/tmp -o -path /root/.ssh \\) -prune -o -printf '%y %m %u:%g %p %l\\n' 2>/dev/null |
  grep -v -E -e ' /var/log/(apt|dpkg.log|alternatives.log|wtmp|btmp|lastlog)' -e ' /var/lib/dpkg/' -e ' /etc/ld.so.cache' -e ' /run/' -e ' /dev/' -e ' /etc/passwd-' -e ' /etc/shadow-' -e ' /etc/group-' -e ' /etc/gshadow-' -e ' /var/lib/ucf' | sort
find /run -maxdepth 1 -printf '%y %p\\n' | grep -v -e /run/utmp -e /run/adduser -e /run/haproxy | sort
find /etc -xdev -type f ! -name ld.so.cache ! -name '*-' -exec sha256sum {} + 2>/dev/null | sort -k 2
getent passwd | sort; getent group | sort
systemctl list-unit-files --no-legend --no-pager | awk '$2 != "transient" { print "unit", $1, $2 }' | sort
systemctl list-units --all --no-legend --plain --no-pager --type=service,socket,timer | awk '$3 != "inactive" { print "active", $1, $3 }' | grep -v -e '@' -e run- -e apt- -e session- -e systemd-modules-load | sort
ip -br link | sed 's/@.*//; s/ .*//' | sort; ip -o -4 address | awk '{ print $2, $4 }'; ip route
for t in iptables ip6tables; do
  # An empty table is there as soon as anybody has asked for it.
  $t-save 2>/dev/null | sed 's/ \\[[0-9:]*\\]//' | awk -v t=$t '/^[#]/ { next } /^[*]/ { table = $0; text = ""; rules = 0; next } /^COMMIT/ { if (rules) printf "%s", text; next } { text = text t " " table " " $0 "\\n" } !/^:[A-Z]+ ACCEPT/ { rules++ }'
done
nft -s list ruleset 2>/dev/null | awk '/^table/ { text = ""; rules = 0 } { text = text $0 "\\n" } !/^table|^[}]|^\\t[}]|^\\tchain |^\\t\\ttype .* policy accept;$|^$/ { rules++ } /^[}]/ && rules { printf "%s", text }'
sysctl -a 2>/dev/null | grep -e '^vm.overcommit_memory' -e '^vm.panic_on_oom' -e '^kernel.panic' -e '^kernel.keys.root' -e '^fs.inotify' -e '^net[.]' | grep -v -e nf_conntrack -e nf_flowtable -e nf_hooks
awk '{ print "mount", $2, $3 }' /proc/self/mounts | sort
dpkg-query -W -f '\${Package} \${db:Status-Status}\\n' | grep ' installed'
ps -e -o args= | grep -v -e '^ps ' -e '^\\[' -e sshd -e '^sort' -e '^sh ' -e '^awk' -e agetty -e systemd -e udev-worker -e dbus | sort
ls /sys/fs/cgroup 2>/dev/null; find /sys/fs/cgroup -path '*kubepods*' 2>/dev/null; ip netns
`;

/** What differs between two fingerprints, as lines with + and -. */
export function difference(before: string, after: string): string[] {
  const [was, is] = [new Set(before.split('\n')), new Set(after.split('\n'))];
  return [
    ...[...was].filter((line) => !is.has(line)).map((line) => `- ${line}`),
    ...[...is].filter((line) => !was.has(line)).map((line) => `+ ${line}`),
  ];
}
