import { SlipwayError, SlipwayErrors } from '../../base/errors.ts';
import type { Finding } from '../check.ts';
import { architecture } from './architecture.ts';
import { capacity } from './capacity.ts';
import { clock } from './clock.ts';
import { commands } from './commands.ts';
import { diskSpace } from './disk-space.ts';
import { firewall } from './firewall.ts';
import { hostname } from './hostname.ts';
import { identity } from './identity.ts';
import { initSystem } from './init-system.ts';
import { inotify } from './inotify.ts';
import { kernel } from './kernel.ts';
import { leftovers } from './leftovers.ts';
import { memory } from './memory.ts';
import { mtu } from './mtu.ts';
import { networks } from './networks.ts';
import { nodeNetwork } from './node-network.ts';
import { operatingSystem } from './operating-system.ts';
import { pathMtu } from './path-mtu.ts';
import { ports } from './ports.ts';
import { list, type PreflightCheck, type PreflightContext } from './preflight.ts';
import { proxy } from './proxy.ts';
import { reachability } from './reachability.ts';
import { resolver } from './resolver.ts';
import { selinux } from './selinux.ts';
import { swap } from './swap.ts';

/** Every check, in the order in which findings are shown. They need facts alone, and what was tried between the hosts. */
export const preflightChecks: readonly PreflightCheck[] = [
  operatingSystem,
  architecture,
  initSystem,
  identity,
  hostname,
  clock,
  memory,
  diskSpace,
  swap,
  commands,
  kernel,
  inotify,
  leftovers,
  ports,
  nodeNetwork,
  networks,
  capacity,
  mtu,
  reachability,
  pathMtu,
  resolver,
  firewall,
  proxy,
  selinux,
];

/** Runs the checks; the same finding on several hosts becomes one. Errors come first. */
export function preflight(context: PreflightContext, checks = preflightChecks): readonly Finding[] {
  const findings = new Map<string, Finding>();
  for (const check of checks) {
    for (const found of check.run(context)) {
      const key = JSON.stringify([check.id, found.severity, found.what, found.hint]);
      findings.set(key, { check: check.id, ...found, hosts: [...(findings.get(key)?.hosts ?? []), ...found.hosts] });
    }
  }
  const all = [...findings.values()];
  return [...all.filter(({ severity }) => severity === 'error'), ...all.filter(({ severity }) => severity === 'warning')];
}

/** The refusal that the errors among the findings amount to; undefined when there are none. */
export function preflightError(findings: readonly Finding[]): SlipwayErrors | undefined {
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return undefined;
  return new SlipwayErrors(
    `${errors.length === 1 ? 'one thing stands' : `${errors.length} things stand`} in the way; nothing was changed`,
    { code: 'PREFLIGHT_FAILED', category: 'refused', hint: 'Mend what is named and run the same command again.' },
    errors.map(
      ({ check, hosts, what, hint }) =>
        new SlipwayError(hosts.length === 0 ? what : `${list(hosts)}: ${what}`, {
          code: `PREFLIGHT_${check.toUpperCase().replaceAll('-', '_')}`,
          category: 'refused',
          where: hosts.length === 1 ? { host: hosts[0]! } : {},
          hint,
        }),
    ),
  );
}
