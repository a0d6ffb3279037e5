import { componentVersions } from '../../../src/artifacts/catalogue.ts';
import { quickVerify, verifyChecks } from '../../../src/checks/verify/index.ts';
import type { Call, Trial } from '../../../src/checks/verify/trial.ts';
import type { CheckContext, CheckResult, VerifyContext } from '../../../src/checks/verify/verify.ts';
import type { Cluster } from '../../../src/config/cluster.ts';
import type { EngineEvent } from '../../../src/engine/events.ts';
import { normalise } from '../../../src/phases/normalise.ts';
import { clusterOf, healthy, hosts } from '../preflight/hosts.ts';

export const NOW = Date.parse('2026-11-21T12:00:00Z');

export interface Situation extends Partial<Omit<CheckContext, 'seen' | 'cluster'>> {
  cluster?: Cluster;
  /** By host: what the check's probe printed. */
  printed?: Readonly<Record<string, string>>;
  events?: EngineEvent[];
}

/** cp-1, w-1 and w-2, where nothing was looked at yet but what the situation says. */
export function context({ cluster = clusterOf(), printed = {}, events = [], ...rest }: Situation = {}): CheckContext {
  const facts = Object.fromEntries(Object.entries(hosts).map(([name, address]) => [name, healthy(name, address)]));
  const settled = normalise(cluster, facts);
  return {
    cluster: settled.cluster,
    leftOut: [],
    unread: [],
    facts: settled.facts,
    states: {},
    statesAreCurrent: true,
    versions: componentVersions(cluster.kubernetes.version),
    inventory: { authorities: {}, certificates: {}, secrets: {} },
    now: NOW,
    nodesProbe: 'nodes',
    render: (template) => template,
    runner: () => Promise.reject(new Error('nobody is there')),
    emit: (event) => void events.push(event),
    stop: new AbortController().signal,
    patience: 1,
    unreachable: {},
    trial: trialOf({}),
    seen: (host) => printed[host.name],
    ...rest,
  };
}

export function ask(id: string, situation: Situation): CheckResult {
  const check = verifyChecks.find((candidate) => candidate.id === id);
  if (!check) throw new Error(`there is no check ${id}`);
  return check.run(context(situation));
}

/** What the last gathering alone tells, by check. */
export function quick(situation: Partial<VerifyContext>): Record<string, string> {
  return Object.fromEntries(quickVerify(context(situation)).map(({ id, ok, message }) => [id, `${ok} ${message}`]));
}

const nodes = Object.keys(hosts);
const podOf = (node: string): string => `echo-${nodes.indexOf(node)}`;

/** Everybody reaches everybody, except what `broken` says of a call: the reason why it fails. */
export function trialOf({
  broken = () => undefined,
  without = {},
  work = {},
}: {
  broken?: (call: { from: string; to: string; kind: Call['kind'] }) => string | undefined;
  /** Nodes whose pod does not run, and why. */
  without?: Readonly<Record<string, string>>;
  work?: Readonly<Record<string, string>>;
}): Trial {
  const running = nodes.filter((node) => without[node] === undefined);
  const call = (from: string, kind: Call['kind'], to = '-'): Call => {
    const problem = broken({ from, to, kind });
    const right = to !== '-' ? podOf(to) : kind === 'self' ? podOf(from) : 'echo-0';
    return { kind, to: to === '-' ? '-' : podOf(to), ok: problem === undefined, answer: problem ?? right };
  };
  return {
    namespace: 'slipway-verify-abc123',
    observer: 'cp-1',
    problem: undefined,
    services: { echo: '10.96.0.100', self: '10.96.0.101' },
    pods: Object.fromEntries(
      nodes.map((node, i) => [
        node,
        without[node] === undefined ? { name: podOf(node), address: `10.244.${i}.5` } : { name: podOf(node), problem: without[node] },
      ]),
    ),
    calls: Object.fromEntries(
      nodes.map((node) => [
        node,
        without[node] !== undefined
          ? []
          : [
              call(node, 'host'),
              call(node, 'host-service'),
              ...running.flatMap((to) => [call(node, 'pod', to), call(node, 'large', to)]),
              call(node, 'dns'),
              call(node, 'service'),
              call(node, 'self'),
              call(node, 'host-port', running[(running.indexOf(node) + 1) % running.length]),
            ],
      ]),
    ),
    work,
  };
}
