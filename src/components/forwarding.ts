import type { Component, PackageUse } from './component.ts';
import { isNode, UNITS } from './topology.ts';

const CONFIG = '/etc/slipway/forwarding';

/** What it needs of the distribution. */
export const forwardingPackages: readonly PackageUse[] = [{ name: 'iptables', provides: ['iptables'] }];

/** Hosts whose FORWARD chain drops by default (docker, firewalls) are normal; only the pods' own traffic is let through. */
export const forwarding: Component = {
  name: 'forwarding',
  summary: 'Lets pod traffic pass the host’s FORWARD chain, at boot and whenever docker restarts.',
  runsOn: isNode,
  owns: [`${UNITS}/slipway-forwarding.service`],
  declare: ({ cluster }) => ({
    packages: forwardingPackages,
    directories: [{ path: CONFIG, mode: '0700' }],
    files: [
      {
        path: `${CONFIG}/apply`,
        from: {
          template: 'forwarding/apply.sh.hbs',
          data: { podCidr: cluster.network.podCidr, accept: cluster.network.forwarding === 'accept' },
        },
        mode: '0700',
      },
    ],
    unit: {
      name: 'slipway-forwarding.service',
      path: `${UNITS}/slipway-forwarding.service`,
      template: 'forwarding/slipway-forwarding.service.hbs',
      data: { apply: `${CONFIG}/apply` },
    },
  }),
};
