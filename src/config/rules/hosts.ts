import type { Rule } from './rules.ts';

const atLeastOneControlPlane: Rule = (cluster) => {
  if (cluster.hosts.some((host) => host.roles.includes('control-plane'))) return [];
  return [{ path: ['spec', 'hosts'], message: 'no host has the role control-plane', hint: 'Add roles: [control-plane] to a host.' }];
};

export const hostRules: readonly Rule[] = [atLeastOneControlPlane];
