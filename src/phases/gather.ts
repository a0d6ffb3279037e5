import { basename } from 'node:path';
import { artefactsFor, componentVersions } from '../artifacts/catalogue.ts';
import type { Store } from '../artifacts/store.ts';
import type { Architecture, LockedArtefact } from '../artifacts/types.ts';
import { gatherErrors, isSlipwayError, SlipwayError } from '../base/errors.ts';
import { components } from '../components/index.ts';
import { sysctls } from '../components/node.ts';
import { BIN, controlPlanes, isControlPlane, isEtcdMember } from '../components/topology.ts';
import type { Cluster, Host } from '../config/cluster.ts';
import type { Emit } from '../engine/events.ts';
import { stampScript } from '../engine/lock.ts';
import type { Gathered } from '../engine/pipeline.ts';
import { inspectScript, parseState, VAR, type HostState, type InspectRequest } from '../engine/state.ts';
import type { Facts } from '../facts/facts.ts';
import { isClockLine, parseFacts } from '../facts/parse.ts';
import { factsScript } from '../facts/script.ts';
import type { State } from '../pki/state.ts';
import type { Runner } from '../remote/runner.ts';
import { ENDPOINT_PROBE } from './api-endpoint.ts';
import { NODES_PROBE } from './nodes.ts';
import type { Context } from './context.ts';
import { CNI_PLUGINS } from '../components/containerd.ts';
import { ownedRoots } from './install.ts';
import { identityFiles } from './identity.ts';
import { OBJECTS_PROBE } from './manifests.ts';
import { FLANNEL_STORE_PROBE } from './flannel-store.ts';
import { MEMBERS_PROBE } from './members.ts';
import { OURS_PROBE } from './reset/scripts.ts';
import { RUNNING_PROBE } from './running.ts';
import { IMAGES_PROBE } from './runtime.ts';
import { normalise } from './normalise.ts';
import type { Render } from './templates.ts';

export interface GatherOptions {
  cluster: Cluster;
  /** Names of the only hosts that may be planned for, as in the file; undefined: all. */
  limit?: readonly string[] | undefined;
  /** Who is looked at besides the limit's hosts. */
  reach?: Reach | undefined;
  /**
   * Goes on without hosts that cannot be read, as long as one can: `telling` of them, whatever the reason, for a verb that only looks; `skipping` those
   * that cannot be reached, as if the limit were without them.
   */
  without?: 'telling' | 'skipping' | undefined;
  runner(host: Host): Promise<Runner>;
  store: Store;
  /** As Context.packages. */
  packages?: readonly LockedArtefact[] | undefined;
  state: State;
  render: Render;
  /** Milliseconds since 1970. */
  now: number;
  emit: Emit;
}

/** One host, as one script found it. */
interface Reading {
  facts: Facts;
  state: HostState;
  stamp: string;
}

const FACTS_END = '=====state=====';
const STATE_END = '=====stamp=====';
/** A route to any of them tells which network the nodes share; asking for all would be O(hosts) on every host. */
const PEERS = 3;

/** Reads all hosts at once, each in one round trip, and puts together what phases plan from. */
export async function gather(options: GatherOptions): Promise<Gathered<Context>> {
  const { cluster, limit, store, state, render, now, emit } = options;
  const read = async (host: Host): Promise<readonly [string, Reading]> => {
    const reading = await readHost(host, options);
    emit({ code: 'host.gathered', host: host.name });
    return [host.name, reading];
  };
  const { needed, useful, observers } = hostsToRead(cluster, limit, options.reach);
  const unread = new Map<string, SlipwayError>();
  const [these, others, spoken] = await Promise.all([
    options.without === undefined ? everyHost(needed, read) : everyAnswering(needed, read, { ...options, unread }),
    everyReachable(useful, read, emit),
    untilOneSpeaks(observers, read, emit),
  ]);
  const all = [...these, ...others, ...spoken];
  const missed = (): { host: Host; error: SlipwayError }[] =>
    normalised.cluster.hosts.flatMap((host, i) => {
      const error = unread.get(cluster.hosts[i]!.name);
      return error === undefined ? [] : [{ host, error }];
    });
  const observer =
    options.reach && options.reach.beside !== 'servers' ? observerAmong(cluster, { limit: limit ?? [], read: all }) : undefined;
  const readings: Readonly<Record<string, Reading | undefined>> = Object.fromEntries(all);
  const normalised = normalise(cluster, Object.fromEntries(all.map(([name, { facts }]) => [name, facts])));
  const byFinalName = <T>(pick: (reading: Reading) => T): Record<string, T> =>
    Object.fromEntries(
      cluster.hosts.flatMap((host, i) => {
        const reading = readings[host.name];
        return reading === undefined ? [] : [[normalised.cluster.hosts[i]!.name, pick(reading)]];
      }),
    );
  const planned = unread.size === 0 ? limit : all.map(([name]) => name).filter((name) => limit?.includes(name) ?? true);
  const facts = byFinalName((reading) => reading.facts);
  const states = byFinalName((reading) => reading.state);
  const context: Context = {
    cluster: normalised.cluster,
    ...(planned === undefined
      ? {}
      : { limit: normalised.cluster.hosts.filter((_, i) => planned.includes(cluster.hosts[i]!.name)).map(({ name }) => name) }),
    ...(unread.size === 0 ? {} : { [options.without === 'skipping' ? 'skipped' : 'unread']: missed() }),
    ...(observer === undefined ? {} : { observer: normalised.cluster.hosts[cluster.hosts.indexOf(observer)]!.name }),
    facts,
    unadmitted: normalised.unadmitted,
    states,
    versions: componentVersions(cluster.kubernetes.version),
    lock: { version: 1, artifacts: await knownArtefacts(cluster, facts, store) },
    ...(options.packages ? { packages: options.packages } : {}),
    inventory: state.inventory(),
    clusterId: await clusterId(state),
    now,
    render,
  };
  return { context, states, stamps: byFinalName((reading) => reading.stamp) };
}

export interface HostsToRead {
  /** Without them there is no plan. */
  needed: Host[];
  /** Others: what is planned depends on them only in part. */
  useful: Host[];
  /** Control planes that are tried one after the other, until one works. */
  observers: Host[];
}

/**
 * `observer`: one control plane beside the limit's hosts, whatever the state of all others; `all`: that, and every other host as far as it answers;
 * `servers`: the other hosts of the control plane and of etcd as far as they answer, be it none. `without`: hosts that are not even tried.
 */
export interface Reach {
  beside: 'observer' | 'all' | 'servers';
  without?: readonly string[];
}

/**
 * Whom a limited plan must look at: the hosts themselves; those whose names and addresses stand in files of others, unless the cluster file
 * has both; and the other control planes and, for what a control plane does for the whole cluster, the other nodes, as far as they answer.
 */
export function hostsToRead({ hosts, ...cluster }: Cluster, limit: readonly string[] | undefined, reach?: Reach): HostsToRead {
  if (limit === undefined) return { needed: [...hosts], useful: [], observers: [] };
  const indispensable = (host: Host): boolean => isIndispensable(cluster, host);
  const limited = (host: Host): boolean => limit.includes(host.name);
  if (reach) {
    const tried = (host: Host): boolean => reach.without?.includes(host.name) !== true;
    if (reach.beside === 'servers')
      return { needed: hosts.filter(limited), useful: hosts.filter((host) => !limited(host) && isNamedByOthers(host)), observers: [] };
    const needed = hosts.filter((host) => tried(host) && (limited(host) || indispensable(host)));
    const others = hosts.filter((host) => !needed.includes(host) && tried(host));
    return reach.beside === 'all'
      ? { needed, useful: others, observers: [] }
      : { needed, useful: [], observers: others.filter(({ roles }) => roles.includes('control-plane')) };
  }
  const forAll = hosts.some((host) => limited(host) && host.roles.includes('control-plane'));
  const needed = hosts.filter((host) => limited(host) || indispensable(host));
  return { needed, useful: hosts.filter((host) => !needed.includes(host) && (isNamedByOthers(host) || forAll)), observers: [] };
}

const isNamedByOthers = (host: Host): boolean => isControlPlane(host) || isEtcdMember(host);

/** Its name or address stands in files of others, and not in the cluster file: without its facts those files are not known. */
export function isIndispensable(cluster: Omit<Cluster, 'hosts'>, host: Host): boolean {
  const known = host.named && normalise({ ...cluster, hosts: [host] }, {}).cluster.hosts[0]!.privateAddress !== undefined;
  return isNamedByOthers(host) && !known;
}

const works = ({ state }: Reading): boolean => (state.probes[NODES_PROBE.name] ?? '') !== '';

async function untilOneSpeaks(
  hosts: readonly Host[],
  read: (host: Host) => Promise<readonly [string, Reading]>,
  emit: Emit,
): Promise<(readonly [string, Reading])[]> {
  const all: (readonly [string, Reading])[] = [];
  for (const host of hosts) {
    const found = await everyReachable([host], read, emit);
    all.push(...found);
    if (found.some(([, reading]) => works(reading))) break;
  }
  return all;
}

/** The control plane through which a verb for some hosts talks to the cluster. */
function observerAmong(
  cluster: Cluster,
  { limit, read }: { limit: readonly string[]; read: readonly (readonly [string, Reading])[] },
): Host {
  const candidates = controlPlanes(cluster).filter(({ name }) => !limit.includes(name));
  const found = candidates.find(({ name }) => read.some(([host, reading]) => host === name && works(reading)));
  if (found) return found;
  throw new SlipwayError('no control plane of the cluster answers for its Kubernetes API', {
    code: 'NO_CONTROL_PLANE',
    category: 'refused',
    ...(candidates[0] === undefined ? {} : { where: { host: candidates[0].name } }),
    hint:
      candidates.length === 0
        ? 'slipway apply makes the first control plane'
        : 'slipway status and slipway verify show what is wrong with it',
  });
}

/** Hosts that do not answer are left out, and named. */
async function everyReachable<T>(hosts: readonly Host[], work: (host: Host) => Promise<T>, emit: Emit): Promise<T[]> {
  return everyOther(hosts, work, {
    spares: ({ category }) => category === 'unreachable' || category === 'failed',
    told(host, { message, hint }) {
      emit({ code: 'host.failed', host: host.name, message });
      emit({ code: 'warning', host: host.name, message: `left out: ${message}`, ...(hint === undefined ? {} : { hint }) });
    },
  });
}

/** Hosts that cannot be read, for whatever reason of theirs, are told of; when none can be, it ends as everyHost does. */
async function everyAnswering<T>(
  hosts: readonly Host[],
  work: (host: Host) => Promise<T>,
  { cluster, without, emit, unread }: Pick<GatherOptions, 'cluster' | 'without' | 'emit'> & { unread: Map<string, SlipwayError> },
): Promise<T[]> {
  const results = await everyOther(hosts, work, {
    spares: ({ category }) => (without === 'skipping' ? category === 'unreachable' : category !== 'aborted' && category !== 'bug'),
    told(host, error) {
      // What the others are to be told of it nobody knows.
      if (without === 'skipping' && isIndispensable(cluster, host)) throw error;
      unread.set(host.name, error);
      emit({ code: 'host.failed', host: host.name, message: error.message });
    },
  });
  if (unread.size === hosts.length) throw gatherErrors([...unread.values()], unusable(unread.size, hosts.length));
  return results;
}

interface Sparing {
  /** Whether the work goes on without a host that fails like this. */
  spares(error: SlipwayError): boolean;
  told(host: Host, error: SlipwayError): void;
}

async function everyOther<T>(hosts: readonly Host[], work: (host: Host) => Promise<T>, { spares, told }: Sparing): Promise<T[]> {
  const results = await Promise.all(
    hosts.map(async (host) => {
      try {
        return [await work(host)];
      } catch (error) {
        if (!isSlipwayError(error) || !spares(error)) throw error;
        told(host, error);
        return [];
      }
    }),
  );
  return results.flat();
}

async function readHost(host: Host, { cluster, runner }: GatherOptions): Promise<Reading> {
  const peers = cluster.hosts
    .filter((other) => other !== host)
    .map((other) => other.privateAddress ?? other.address)
    .slice(0, PEERS);
  const remote = await runner(host);
  let clock = Date.now();
  const script = [factsScript({ peers }), `echo '${FACTS_END}'`, inspectScript(inspectRequest), `echo '${STATE_END}'`, stampScript].join(
    '\n',
  );
  const result = await remote.run(script, {
    onLine: (line) => {
      if (isClockLine(line)) clock = Date.now();
    },
  });
  const [factsText, rest] = result.stdout.split(`${FACTS_END}\n`);
  const [stateText, stamp] = rest?.split(`${STATE_END}\n`) ?? [];
  if (factsText === undefined || stateText === undefined || stamp === undefined) {
    throw new SlipwayError(`the facts of ${host.name} did not arrive whole (exit code ${result.code})`, {
      code: 'FACTS_INCOMPLETE',
      category: 'failed',
      where: { host: host.name },
      evidence: result.stderr.slice(-2000),
      hint: 'run the command again with -v, and look at what the host says',
    });
  }
  const facts = parseFacts(factsText, clock, host.name);
  return { facts, state: parseState(stateText, facts.commands), stamp: stamp.trim() };
}

const inspectRequest: InspectRequest = {
  roots: [...ownedRoots(), BIN, CNI_PLUGINS, `${VAR}/state.json`, ...identityFiles],
  directories: [...new Set(components.flatMap(({ sharedPaths = [] }) => sharedPaths))],
  units: ownedRoots()
    .filter((path) => path.endsWith('.service'))
    .map((path) => basename(path)),
  sysctls: Object.keys(sysctls),
  probes: Object.fromEntries(
    [IMAGES_PROBE, OBJECTS_PROBE, NODES_PROBE, MEMBERS_PROBE, FLANNEL_STORE_PROBE, ENDPOINT_PROBE, OURS_PROBE, RUNNING_PROBE].map(
      ({ name, script }) => [name, script],
    ),
  ),
};

/** The id that the state directory keeps; undefined: it was never installed from, or by a Slipway without ids. */
async function clusterId(state: State): Promise<string | undefined> {
  return state.inventory().secrets['cluster-id'] && (await state.secretBytes('cluster-id')).toString().trim();
}

async function knownArtefacts(cluster: Cluster, facts: Readonly<Record<string, Facts>>, store: Store): Promise<LockedArtefact[]> {
  const architectures = [...new Set(Object.values(facts).map(({ arch }) => arch))].filter(
    (arch): arch is Architecture => arch === 'amd64' || arch === 'arm64',
  );
  const known = await Promise.all(
    architectures.map((arch) =>
      store.known(artefactsFor({ kubernetesVersion: cluster.kubernetes.version, arch, metricsServer: cluster.addons.metricsServer })),
    ),
  );
  return known.flat().filter((artefact) => artefact !== undefined);
}

/** All hosts at once; every failure is reported, equal ones together. */
export async function everyHost<T>(hosts: readonly Host[], work: (host: Host) => Promise<T>): Promise<T[]> {
  const results = await Promise.allSettled(hosts.map(work));
  const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  if (failed.length === 0) return results.map((result) => (result as PromiseFulfilledResult<T>).value);
  throw gatherErrors(failed, unusable(failed.length, hosts.length));
}

const unusable = (some: number, all: number): string => `${some} of ${all} hosts cannot be used`;
