import type { Component } from './component.ts';
import { BIN, isNode, PKI } from './topology.ts';

/** Values that the kubelet wants with protectKernelDefaults, and what pod traffic needs. */
export const sysctls: Readonly<Record<string, string>> = {
  'net.ipv4.ip_forward': '1',
  'net.bridge.bridge-nf-call-iptables': '1',
  'vm.overcommit_memory': '1',
  'vm.panic_on_oom': '0',
  'kernel.panic': '10',
  'kernel.panic_on_oops': '1',
  'kernel.keys.root_maxkeys': '1000000',
  'kernel.keys.root_maxbytes': '25000000',
  'fs.inotify.max_user_instances': '8192',
  'fs.inotify.max_user_watches': '524288',
};

export const kernelModules: readonly string[] = ['overlay', 'br_netfilter'];

/** What every node needs before any daemon of it starts. */
export const node: Component = {
  name: 'node',
  sharedPaths: ['/opt/slipway'],
  summary: 'Kernel settings and the directories that several components share.',
  runsOn: isNode,
  ownedPaths: ['/etc/kubernetes', '/etc/slipway', '/etc/sysctl.d/90-slipway.conf', '/etc/modules-load.d/slipway.conf'],
  declare: () => ({
    directories: [
      { path: '/opt/slipway', mode: '0755' },
      { path: BIN, mode: '0755' },
      { path: '/etc/slipway', mode: '0755' },
      { path: '/etc/kubernetes', mode: '0755' },
      { path: PKI, mode: '0755' },
    ],
    sysctls,
    files: [
      {
        path: '/etc/sysctl.d/90-slipway.conf',
        from: { template: 'node/sysctl.conf.hbs', data: { settings: Object.entries(sysctls).map(([key, value]) => ({ key, value })) } },
        mode: '0644',
      },
      {
        path: '/etc/modules-load.d/slipway.conf',
        from: { template: 'node/modules.conf.hbs', data: { modules: kernelModules } },
        mode: '0644',
      },
      { path: `${PKI}/ca.crt`, from: { ref: 'authority:kubernetes' }, mode: '0644' },
    ],
  }),
};
