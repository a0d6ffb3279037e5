import { declarations } from '../components/declare.ts';
import { kernelModules, node } from '../components/node.ts';
import type { Host } from '../config/cluster.ts';
import type { Phase } from '../engine/phase.ts';
import { VAR } from '../engine/state.ts';
import { stepId, type Desired } from '../engine/step.ts';
import { artefactNames, artefactVersion } from './deliver-artifacts.ts';
import { plannedHosts, type Context } from './context.ts';
import { stopForeign } from './foreign/units.ts';
import { recordIdentity } from './identity.ts';
import { install, stepsOf } from './install.ts';

export const prepareHost: Phase<Context> = {
  id: 'prepare-host',
  title: 'Prepare hosts',
  summary: 'Records what will be on the host, loads kernel modules and sets the kernel parameters that nodes need.',
  plan: (context) => [
    ...stopForeign(context),
    ...plannedHosts(context).flatMap((host) => [...record(context, host), ...modules(context, host)]),
    ...stepsOf(install(context, node)),
    ...recordIdentity(context),
  ],
};

/** What will be on the host, for whoever reads it there. Reset goes by what was written down before each thing was done. */
function record(context: Context, host: Host): Desired[] {
  const declared = declarations(context, host).map(({ declaration }) => declaration);
  const state = {
    version: 1,
    cluster: context.cluster.name,
    host: host.name,
    units: declared.flatMap(({ unit }) => (unit ? [unit.name] : [])),
    users: declared.flatMap(({ user }) => (user ? [user.name] : [])),
    packages: declared.flatMap(({ packages = [] }) => packages.map(({ name }) => name)),
    artefacts: artefactNames(context, host).map((name) => `${name}/${artefactVersion(context, name)}`),
  };
  return [
    {
      id: stepId(host.name, 'prepare-host', 'state'),
      host: host.name,
      summary: `record what belongs to the cluster in ${VAR}/state.json`,
      action: {
        kind: 'file',
        path: `${VAR}/state.json`,
        mode: '0600',
        owner: 'root:root',
        content: { text: `${JSON.stringify(state, null, 2)}\n` },
      },
    },
  ];
}

/** A kernel that has the features needs no modules; one that has them as modules may not have loaded them yet. */
function modules(context: Context, host: Host): Desired[] {
  const { unloaded = [] } = context.facts[host.name]!.kernelFeatures;
  if (!kernelModules.some((name) => unloaded.includes(name))) return [];
  return [
    {
      id: stepId(host.name, 'prepare-host', 'modules'),
      host: host.name,
      summary: `load the kernel modules ${kernelModules.join(', ')}`,
      drift: true,
      action: {
        kind: 'script',
        script: `for m in ${kernelModules.join(' ')}; do [ -d /sys/module/$m ] || note modules "$m"; done\nmodprobe -a ${kernelModules.join(' ')}`,
      },
    },
  ];
}
