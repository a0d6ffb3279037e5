import type { Host } from '../../config/cluster.ts';
import type { Phase } from '../../engine/phase.ts';
import type { Desired } from '../../engine/step.ts';
import { OPT, VAR } from '../../engine/state.ts';
import { osModule } from '../../facts/os/index.ts';
import { plannedHosts, stateOf, type Context } from '../context.ts';
import { endContainers, forget, OURS_PROBE, restoreFiles, restoreSystem, stopUnits, undoNetwork } from './scripts.ts';
import { resetStep } from '../step-ids.ts';

/** The lines that the probe printed of one kind. */
export function ours(context: Context, host: Host, kind: 'path' | 'package'): string[] {
  return (stateOf(context, host).probes[OURS_PROBE.name] ?? '')
    .split('\n')
    .flatMap((line) => (line.startsWith(`${kind} `) ? [line.slice(kind.length + 1)] : []));
}

function step(slug: string, summary: string, script: (context: Context) => string): Phase<Context>['plan'] {
  return (context) =>
    plannedHosts(context)
      .filter((host) => ours(context, host, 'path').length > 0)
      .map((host): Desired => ({
        id: resetStep(host, slug),
        host: host.name,
        summary,
        action: { kind: 'script', script: script(context) },
      }));
}

export const stop: Phase<Context> = {
  id: 'stop',
  title: 'Stop everything',
  summary: 'Stops and disables the units, ends what is left of pods, and unmounts their volumes.',
  plan: (context) => [
    ...step('units', 'stop and disable every unit of the cluster', () => stopUnits)(context),
    ...step('containers', 'end all pods', () => endContainers)(context),
  ],
};

export const unlinkNetwork: Phase<Context> = {
  id: 'unlink-network',
  title: 'Remove the pod network',
  summary: 'Removes interfaces, routes and packet filter chains of flannel, kube-proxy, the kubelet and Slipway; no rule of anybody else.',
  plan: step('network', 'remove the pod network and its packet filter chains', ({ cluster }) => undoNetwork(cluster.network.podCidr)),
};

export const removePackages: Phase<Context> = {
  id: 'remove-packages',
  title: 'Remove packages',
  summary: 'Removes the packages that were installed for the cluster, with what only they needed.',
  plan: (context) =>
    plannedHosts(context).flatMap((host): Desired[] => {
      const names = ours(context, host, 'package');
      const facts = context.facts[host.name];
      const system = facts && osModule(facts);
      if (names.length === 0 || !system) return [];
      return [
        {
          id: resetStep(host, 'packages'),
          host: host.name,
          summary: `remove the packages ${names.join(', ')}`,
          action: { kind: 'script', script: system.removeCommand(names, { archives: OPT, before: `${VAR}/before` }) },
        },
      ];
    }),
};

export const giveBack: Phase<Context> = {
  id: 'give-back',
  title: 'Give the hosts back',
  summary: 'Puts files, kernel parameters and users back as they were, and forgets that it was there.',
  plan: (context) => [
    ...step('files', 'remove every file of the cluster, and put back what was there', () => restoreFiles)(context),
    ...step('system', 'put back kernel parameters, users and units', () => restoreSystem)(context),
    ...step('record', 'forget the host', () => forget)(context),
  ],
};
