import { sh } from '../../base/quote.ts';
import { atLeast, type OsFamily } from './os.ts';

/** Presets decide about services here too. The lock is waited for by ZYPP_LOCK_TIMEOUT, in seconds. */
const zypper = 'ZYPP_LOCK_TIMEOUT=300 zypper --non-interactive --quiet';

export const suse: OsFamily = {
  family: 'suse',
  packageManager: 'zypper',
  packageCommand: 'zypper',
  packageNames: {
    haproxy: 'haproxy',
    conntrack: 'conntrack-tools',
    iptables: 'iptables',
    nftables: 'nftables',
    ipset: 'ipset',
    ipvsadm: 'ipvsadm',
    iproute: 'iproute2',
    socat: 'socat',
    ethtool: 'ethtool',
    zstd: 'zstd',
    nfs: 'nfs-client',
    wireguard: 'wireguard-tools',
    kmod: 'kmod',
  },

  recognise({ id, versionId, like }) {
    if (id === 'opensuse-microos' || id === 'sl-micro' || id === 'sle-micro')
      return { proven: false, refused: 'its root file system changes only by transactional updates, which are not supported' };
    if (id === 'sles' || id === 'sled' || id === 'opensuse-leap')
      return atLeast(versionId, '15') ? { proven: false } : { proven: false, refused: 'release 15 is the oldest supported of this family' };
    return id === 'opensuse-tumbleweed' || like.includes('suse') || like.includes('opensuse') ? { proven: false } : undefined;
  },

  installCommand: (packages, { refresh }) => `(
exec </dev/null
rpm -q ${sh`${packages}`} >/dev/null 2>&1 && exit 0
${refresh ? `${zypper} refresh && ` : ''}${zypper} install --no-recommends ${sh`${packages}`}${refresh ? '' : ` || { ${zypper} refresh && ${zypper} install --no-recommends ${sh`${packages}`}; }`}
)`,

  removeCommand: (packages) => `(
exec </dev/null
f_there=$(for f_p in ${sh`${packages}`}; do rpm -q "$f_p" >/dev/null 2>&1 && echo "$f_p"; done)
[ -z "$f_there" ] || ${zypper} remove --clean-deps $f_there
)`,
};
