import { sh } from '../../base/quote.ts';
import { atLeast, type OsFamily } from './os.ts';

const rebuilds = ['rhel', 'rocky', 'almalinux', 'centos', 'ol'];

/** A dnf waits for another one by itself. Packages of this family follow the system's presets: nothing of ours is started or enabled. */
const dnf = 'dnf -y -q --setopt=install_weak_deps=False';

export const rhel: OsFamily = {
  family: 'rhel',
  packageManager: 'dnf',
  packageCommand: 'dnf',
  packageNames: {
    haproxy: 'haproxy',
    conntrack: 'conntrack-tools',
    iptables: 'iptables-nft',
    nftables: 'nftables',
    ipset: 'ipset',
    ipvsadm: 'ipvsadm',
    iproute: 'iproute',
    socat: 'socat',
    ethtool: 'ethtool',
    zstd: 'zstd',
    nfs: 'nfs-utils',
    wireguard: 'wireguard-tools',
    kmod: 'kmod',
  },

  recognise({ id, versionId, like }) {
    if (rebuilds.includes(id))
      return atLeast(versionId, '8') ? { proven: false } : { proven: false, refused: 'release 8 is the oldest supported of this family' };
    if (id === 'openeuler') return undefined;
    return id === 'fedora' || like.some((name) => name === 'rhel' || name === 'fedora' || name === 'centos')
      ? { proven: false }
      : undefined;
  },

  installCommand: (packages, { refresh }) => `(
exec </dev/null
rpm -q ${sh`${packages}`} >/dev/null 2>&1 && exit 0
${refresh ? `${dnf} --refresh install ${sh`${packages}`}` : `${dnf} install ${sh`${packages}`} || ${dnf} --refresh install ${sh`${packages}`}`}
)`,

  removeCommand: (packages) => `(
exec </dev/null
f_there=$(for f_p in ${sh`${packages}`}; do rpm -q "$f_p" >/dev/null 2>&1 && echo "$f_p"; done)
[ -z "$f_there" ] || dnf -y -q remove $f_there
)`,
};

/** openEuler shares the package manager and, but for iptables, the package names. */
export const openEuler: OsFamily = {
  ...rhel,
  packageNames: { ...rhel.packageNames, iptables: 'iptables' },

  recognise({ id, versionId, like }) {
    if (id === 'openeuler')
      return atLeast(versionId, '20.03')
        ? { proven: false }
        : { proven: false, refused: 'openEuler 20.03 is the oldest release supported' };
    return like.includes('openeuler') ? { proven: false } : undefined;
  },
};
