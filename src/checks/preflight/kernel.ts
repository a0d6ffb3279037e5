import { atLeast } from '../../facts/os/os.ts';
import type { Cluster } from '../../config/cluster.ts';
import type { Facts } from '../../facts/facts.ts';
import { finding, list, perHost, type PreflightCheck } from './preflight.ts';

interface Need {
  missing(facts: Facts): boolean;
  /** Undefined: always needed. */
  when?(cluster: Cluster): boolean;
  what: string;
  hint: string;
}

const load = (module: string): string =>
  `Try modprobe ${module}; where the module is missing, install the distribution's full kernel (such as linux-modules-extra or kernel-modules-extra), and in a container let the machine load it.`;

const needs: readonly Need[] = [
  {
    missing: ({ kernelFeatures }) => !kernelFeatures.overlay,
    what: 'the kernel has no overlay file system, on which containers stand',
    hint: load('overlay'),
  },
  {
    missing: ({ kernelFeatures }) => !kernelFeatures.bridgeNetfilter,
    what: 'the kernel has no br_netfilter, without which Services fail between pods of one node',
    hint: load('br_netfilter'),
  },
  {
    when: ({ network }) => network.flannel.backend === 'vxlan',
    missing: ({ kernelFeatures }) => !kernelFeatures.vxlan,
    what: 'the kernel cannot make VXLAN interfaces (network.flannel.backend: vxlan)',
    hint: `${load('vxlan')} Or choose backend: host-gw when all hosts are in one network.`,
  },
  {
    when: ({ network }) => network.flannel.backend === 'wireguard',
    missing: ({ kernelFeatures }) => !kernelFeatures.wireguard,
    what: 'the kernel cannot make WireGuard interfaces (network.flannel.backend: wireguard)',
    hint: `${load('wireguard')} Or choose backend: vxlan.`,
  },
  {
    when: ({ network }) => network.flannel.backend === 'udp',
    missing: ({ kernelFeatures }) => kernelFeatures.tun === false,
    what: '/dev/net/tun is missing (network.flannel.backend: udp)',
    hint: `${load('tun')} Or choose backend: vxlan.`,
  },
  {
    when: ({ network }) => network.proxy.mode === 'ipvs',
    missing: ({ kernelFeatures }) => !kernelFeatures.ipvs,
    what: 'the kernel has no IPVS (network.proxy.mode: ipvs)',
    hint: `${load('ip_vs')} Or choose mode: iptables.`,
  },
  {
    when: ({ network }) => network.proxy.mode === 'nftables',
    missing: ({ kernelFeatures, kernel }) => !kernelFeatures.nftables || !atLeast(kernel, '5.13'),
    what: 'the kernel is not fit for network.proxy.mode: nftables, which needs nf_tables of Linux 5.13 or newer',
    hint: 'Choose mode: iptables, or upgrade the kernel.',
  },
];

const controllers = ['cpu', 'cpuset', 'memory', 'pids'];

export const kernel: PreflightCheck = {
  id: 'kernel',
  title: 'The kernel can do what the cluster asks of it',
  run: (context) =>
    perHost(context, ({ name }, facts) => {
      const { cgroup, cgroupControllers } = facts.kernelFeatures;
      const off = controllers.filter((controller) => cgroupControllers !== undefined && !cgroupControllers.includes(controller));
      return [
        ...needs
          .filter((need) => (need.when?.(context.cluster) ?? true) && need.missing(facts))
          .map(({ what, hint }) => finding('error', name, { what, hint })),
        off.length > 0
          ? finding('error', name, {
              what: `the cgroup ${off.length === 1 ? 'controller' : 'controllers'} ${list(off)} ${off.length === 1 ? 'is' : 'are'} off, so the kubelet cannot start`,
              hint: off.includes('memory')
                ? 'Add cgroup_enable=memory to the kernel command line and reboot; in a container, delegate the controllers to it.'
                : 'Enable them on the kernel command line; in a container, delegate the controllers to it.',
            })
          : undefined,
        cgroup === 1
          ? finding('warning', name, {
              what: 'it uses cgroup v1, which Kubernetes keeps only as a last resort and will drop',
              hint: 'Boot with systemd.unified_cgroup_hierarchy=1, or upgrade the operating system, when you can.',
            })
          : undefined,
        atLeast(facts.kernel, '4.18')
          ? undefined
          : finding('error', name, {
              what: `the kernel ${facts.kernel} is too old`,
              hint: 'At least Linux 4.18 is needed: upgrade the operating system.',
            }),
      ];
    }),
};
