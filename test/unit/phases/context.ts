import { apply } from '../../../playbooks/apply.ts';
import { componentVersions } from '../../../src/artifacts/catalogue.ts';
import { loadTemplates } from '../../../src/cli/templates.ts';
import type { Cluster } from '../../../src/config/cluster.ts';
import { sha256 } from '../../../src/engine/actions/file.ts';
import type { Phase, Playbook } from '../../../src/engine/phase.ts';
import { wantedDigest } from '../../../src/engine/plan.ts';
import { emptyState, type HostState } from '../../../src/engine/state.ts';
import { OPERATOR, type Step } from '../../../src/engine/step.ts';
import type { Context } from '../../../src/phases/context.ts';
import { normalise } from '../../../src/phases/normalise.ts';
import { clusterOf, healthy, hosts } from '../preflight/hosts.ts';

/** What phases plan from on three fresh hosts; `spec` is added to the cluster file. */
export function contextOf(spec = '', change: (cluster: Cluster) => Cluster = (cluster) => cluster): Context {
  const facts = Object.fromEntries(Object.entries(hosts).map(([name, address]) => [name, healthy(name, address)]));
  const settled = normalise(change(clusterOf(spec)), facts);
  return {
    cluster: settled.cluster,
    facts: settled.facts,
    states: {},
    versions: componentVersions(settled.cluster.kubernetes.version),
    lock: { version: 1, artifacts: [] },
    inventory: { authorities: {}, certificates: {}, secrets: {} },
    now: Date.UTC(2026, 10, 21),
    render: loadTemplates(),
  };
}

/** The steps that would never start: the hosts work on the first step of each lane whose needs are done. */
export function stuck(steps: readonly Step[]): string[] {
  const done = new Set<string>();
  const laneOf = ({ id, host, lane, concerns = host }: Step): string => (host === OPERATOR ? id : `${host} ${lane} ${concerns}`);
  for (let left = steps; ;) {
    const firsts = new Map(left.toReversed().map((step) => [laneOf(step), step]));
    const next = new Set([...firsts.values()].filter(({ needs }) => needs.every((id) => done.has(id))));
    if (next.size === 0) return left.map(({ id }) => id);
    for (const { id } of next) done.add(id);
    left = left.filter((step) => !next.has(step));
  }
}

/** `apply` with all phases but one left out. */
export const only = ({ id }: Phase<Context>): Playbook<Context> => ({
  ...apply,
  skip: apply.phases.flatMap((phase) => (phase.id === id ? [] : [phase.id])),
});

/** The hosts' states as they are when these steps have been carried out. */
export function statesAfter(steps: readonly Step[], from: Readonly<Record<string, HostState>>): Record<string, HostState> {
  const states: Record<string, HostState> = { ...from };
  for (const { id, host, action, wanted } of steps) {
    if (host === OPERATOR) continue;
    const before = states[host] ?? emptyState;
    const recorded = { ...before.recorded, [id]: wantedDigest({ action, wanted }) };
    states[host] = { ...before, ...after(action, before), recorded };
  }
  return states;
}

function after(action: Step['action'], before: HostState): Partial<HostState> {
  switch (action.kind) {
    case 'directory':
      return { directories: { ...before.directories, [action.path]: { mode: action.mode, owner: action.owner } } };
    case 'file': {
      const digest = 'text' in action.content ? sha256(action.content.text) : (action.content.sha256 ?? '');
      return { files: { ...before.files, [action.path]: { sha256: digest, mode: action.mode, owner: action.owner } } };
    }
    case 'link':
      return { links: { ...before.links, [action.path]: action.target } };
    case 'user':
      return { users: [...before.users, action.name] };
    case 'sysctl':
      return { sysctls: { ...before.sysctls, ...action.settings } };
    case 'package':
      return { commands: [...before.commands, ...action.provides] };
    case 'artefact':
      return { artefacts: { ...before.artefacts, [`${action.name}/${action.version}`]: action.digest ?? '' } };
    case 'unit':
      return {
        units: {
          ...before.units,
          [action.name]: { loaded: true, enabled: true, active: 'active', needsReload: false, restarts: 0, digest: action.digest },
        },
      };
    case 'script':
      return action.done
        ? { probes: { ...before.probes, [action.done.probe]: [before.probes[action.done.probe] ?? '', ...action.done.lines].join('\n') } }
        : {};
    default:
      return {};
  }
}
