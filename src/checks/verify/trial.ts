import { imageReference } from '../../artifacts/catalogue.ts';
import { messageOf } from '../../base/errors.ts';
import { containerdPlace } from '../../components/containerd.ts';
import { controlPlanes, isControlPlane, isNode, nodeAddress } from '../../components/topology.ts';
import { isIPv4 } from '../../config/addresses.ts';
import type { Host } from '../../config/cluster.ts';
import type { Session } from '../../remote/runner.ts';
import { freePort, hostPort } from './host-port.ts';
import { TAKEOVER } from './leader.ts';
import { callerScript, NAMESPACE_PREFIX, observerLabel, observerScript, unlabelledNamespace } from './trial-script.ts';
import type { VerifyCheck, VerifyContext } from './verify.ts';

/** What pods of our own, one on every node, found out about the cluster. */
export interface Trial {
  namespace: string;
  /** The control plane whose API server was used. */
  observer: string | undefined;
  /** Why nothing could be tried, and the lines that show it. */
  problem: string | undefined;
  evidence?: string;
  /** By node. */
  pods: Readonly<Record<string, TrialPod>>;
  services: { echo: string; self: string } | undefined;
  /** What each node's pod and the node itself found when they called, by node. */
  calls: Readonly<Record<string, readonly Call[]>>;
  /** What was done on the observer for each check, by its id. */
  work: Readonly<Record<string, string>>;
}

export interface TrialPod {
  name: string;
  /** Missing: it does not run, and `problem` says why. */
  address?: string | undefined;
  problem?: string | undefined;
}

export interface Call {
  /**
   * pod: from the node's pod to another (or itself); large: the same with packets of full size; dns, service, self: from the pod to a Service by name, by address, and to itself
   * through a Service; host: from the node to its pod; host-service: from the node to a Service; host-port: from the node to the port of another
   * node that leads to its pod.
   */
  kind: 'pod' | 'large' | 'dns' | 'service' | 'self' | 'host' | 'host-service' | 'host-port';
  /** Of kind `pod`, `large` and `host-port`: the pod that was called. */
  to: string;
  ok: boolean;
  /** The name of the pod that answered, or the reason why none did. */
  answer: string;
}

/** Why there is no trial, where the check of the hosts says more. */
export const UNANSWERED = 'no control plane answers';

export const PORT = 8080;
/** Seconds that a pod may need to start when everything works. */
export const POD_START = 20;

/** Seconds beyond all that is waited for on purpose, after which the trial is given up. */
const GIVE_UP = 120;

/** No image is pulled: every node keeps agnhost. `suffix` makes the namespace's name unique. */
export async function tryOut(
  context: VerifyContext,
  { checks, suffix }: { checks: readonly VerifyCheck[]; suffix: string },
): Promise<Trial> {
  const namespace = `${NAMESPACE_PREFIX}${suffix}`;
  let last: Trial = {
    namespace,
    observer: undefined,
    problem: context.unread.some(({ host }) => isControlPlane(host)) ? UNANSWERED : 'there is no control plane',
    pods: {},
    services: undefined,
    calls: {},
    work: {},
  };
  for (const observer of controlPlanes(context.cluster)) {
    last = await tryFrom(context, { checks, namespace, observer });
    if (last.observer !== undefined || context.stop.aborted) return last;
  }
  return last;
}

interface From {
  checks: readonly VerifyCheck[];
  namespace: string;
  observer: Host;
}

async function tryFrom(context: VerifyContext, { checks, namespace, observer }: From): Promise<Trial> {
  const nodes = context.cluster.hosts.filter(isNode);
  const pods: Record<string, TrialPod> = Object.fromEntries(nodes.map((host, i) => [host.name, { name: `echo-${i}` }]));
  const idle = nodes.filter((host) => !canRunPods(context, host));
  for (const host of idle) pods[host.name] = { name: pods[host.name]!.name, problem: 'its kubelet or container runtime does not run' };
  const opened = checks.includes(hostPort) ? freePort(context) : undefined;
  const waitFor = nodes.filter((host) => !idle.includes(host)).map((host) => pods[host.name]!.name);
  const podOf = (node: string): string | undefined => (pods[node]?.problem === undefined ? pods[node]?.name : undefined);
  const script = observerScript({
    namespace,
    observer: observer.name,
    manifest: context.render('verify/trial.yaml.hbs', {
      namespace,
      unlabelled: unlabelledNamespace(namespace),
      observer: observerLabel(observer.name),
      port: PORT,
      hostPort: opened,
      image: imageReference('image-agnhost', context.versions.kubernetes),
      nodes: nodes.map(({ name }) => ({ name, pod: pods[name]!.name })),
      // Where others were not looked at, one of them may be dead without the scheduler's knowing.
      limited: context.leftOut.length + context.unread.length > 0,
    }),
    pods: waitFor,
    work: Object.fromEntries(
      checks.flatMap((check) => (check.work ? [[check.id, check.work({ namespace, observer, pods: waitFor, podOf }, context)]] : [])),
    ),
    patience: Math.max(context.patience, POD_START),
    takeover: Math.max(context.patience, TAKEOVER),
  });

  const sections = new Map<string, string[]>();
  let lines: string[] = [];
  let problem: string | undefined;
  const [go, finished] = [gate(), gate()];
  let session: Session | undefined;
  const stop = (): void => session?.end();
  const giveUp = setTimeout(
    () => {
      problem = `the trial on ${observer.name} does not come to an end`;
      stop();
    },
    (2 * Math.max(context.patience, POD_START) + Math.max(context.patience, TAKEOVER) + GIVE_UP) * 1000,
  );
  try {
    const runner = await context.runner(observer.name);
    session = runner.open(script, {
      onLine: (line) => {
        if (line.startsWith('@problem ')) problem = line.slice(9);
        else if (line === '@go') go.open();
        else if (line === '@finished') finished.open();
        else if (line.startsWith('@')) sections.set(line.slice(1), (lines = []));
        else lines.push(line);
      },
    });
    const ended = session.done.then(
      () => undefined,
      (error: unknown) => void (problem ??= messageOf(error)),
    );
    context.stop.addEventListener('abort', stop, { once: true });
    if (context.stop.aborted) stop();
    await Promise.race([go.passed, ended]);
    const section = (name: string): string[] => sections.get(name) ?? [];
    const services = readServices(section('created'));
    const trial = { namespace, observer: observer.name, services };
    if (problem !== undefined || !services) {
      const said = section('created').filter((line) => /error|forbidden|refused|unable/i.test(line));
      return {
        ...trial,
        observer: undefined,
        problem: problem ?? 'the trial ended early',
        evidence: said.slice(0, 2).join('\n'),
        pods,
        calls: {},
        work: {},
      };
    }
    readPods(section('ready'), pods);
    const [calls] = await Promise.all([callAll(context, { pods, services, opened }), Promise.race([finished.passed, ended])]);
    const work = Object.fromEntries(
      [...sections].filter(([name]) => name.startsWith('work ')).map(([name, text]) => [name.slice(5), text.join('\n')]),
    );
    return { ...trial, problem, pods, calls, work };
  } catch (error) {
    return { namespace, observer: undefined, problem: messageOf(error), pods, services: undefined, calls: {}, work: {} };
  } finally {
    clearTimeout(giveUp);
    context.stop.removeEventListener('abort', stop);
    session?.end();
    // The objects are being deleted when the script has ended.
    await session?.done.catch(() => undefined);
  }
}

/** Every node's pod calls all others, each in one round trip. */
async function callAll(
  context: VerifyContext,
  {
    pods,
    services,
    opened,
  }: { pods: Readonly<Record<string, TrialPod>>; services: { echo: string; self: string }; opened: number | undefined },
): Promise<Record<string, Call[]>> {
  const addresses = Object.fromEntries(
    Object.values(pods).flatMap(({ name, address }) => (address === undefined ? [] : [[name, address]])),
  );
  const running = context.cluster.hosts.filter(({ name }) => pods[name]?.address !== undefined);
  /** The next node in a ring, so that every port is tried from somewhere else. */
  const openedOn = (node: string): { pod: string; address: string; port: number } | undefined => {
    const next = running[(running.findIndex(({ name }) => name === node) + 1) % running.length];
    return opened === undefined || !next ? undefined : { pod: pods[next.name]!.name, address: nodeAddress(next), port: opened };
  };
  const calls = await Promise.all(
    Object.entries(pods).map(async ([node, { address: own }]): Promise<[string, Call[]]> => {
      if (own === undefined) return [node, []];
      const name = context.cluster.addons.coredns ? 'echo' : undefined;
      const script = callerScript({
        own,
        port: PORT,
        pods: addresses,
        services: { ...services, name },
        hostPort: openedOn(node),
        patience: context.patience,
      });
      try {
        const result = await (await context.runner(node)).run(script, { timeoutMs: (context.patience + 60) * 1000, signal: context.stop });
        return [node, result.stdout.split('\n').flatMap(parseCall)];
      } catch (error) {
        return [node, [{ kind: 'host', to: '-', ok: false, answer: messageOf(error) }]];
      }
    }),
  );
  return Object.fromEntries(calls);
}

/** A line of callerScript. */
export function parseCall(line: string): Call[] {
  const [, kind, to, answer] = /^(pod|large|dns|service|self|host|host-service|host-port|nothing) (\S+) (.*)$/.exec(line.trimEnd()) ?? [];
  if (kind === undefined) return [];
  if (kind === 'nothing') return [{ kind: 'host', to: '-', ok: false, answer: answer! }];
  const body = /^HTTP (\d+) (.*)$/.exec(answer!);
  const base = { kind: kind as Call['kind'], to: to! };
  if (!body) return [{ ...base, ok: false, answer: answer! }];
  if (kind === 'host' || kind === 'host-service' || kind === 'host-port') return [{ ...base, ok: body[1] === '200', answer: body[2]! }];
  if (kind === 'large' && /^\{"responses":\["~/.test(body[2]!)) return [{ ...base, ok: true, answer: to! }];
  try {
    const said = JSON.parse(body[2]!) as { responses?: string[]; errors?: string[] };
    const response = said.responses?.[0];
    return [
      response === undefined ? { ...base, ok: false, answer: said.errors?.[0] ?? 'no answer' } : { ...base, ok: true, answer: response },
    ];
  } catch {
    return [{ ...base, ok: false, answer: answer! }];
  }
}

/** What the last gathering says; when it is too old to tell, every node can. */
function canRunPods(context: VerifyContext, host: Host): boolean {
  if (!context.statesAreCurrent) return true;
  const units = context.states[host.name]?.units ?? {};
  return ['kubelet.service', containerdPlace(context.facts[host.name]!).unit].every((unit) => units[unit]?.active === 'active');
}

function readServices(lines: readonly string[]): { echo: string; self: string } | undefined {
  const address = (name: string): string | undefined =>
    lines.map((line) => line.split(' ')).find(([kind, found]) => kind === 'Service' && found === name)?.[2];
  const [echo = '', self = ''] = [address('echo'), address('self')];
  return isIPv4(echo) && isIPv4(self) ? { echo, self } : undefined;
}

/** `NAME ADDRESS` for pods that are ready; `NAME ADDRESS PHASE[ Ready]: WHY` when some are not. A kubelet chooses the words, also of further lines. */
function readPods(lines: readonly string[], pods: Record<string, TrialPod>): void {
  for (const line of lines) {
    const [, name, address, phase, ready, why] = /^(echo-\d+) (\S+)(?: (\w*)( Ready)?:(.*))?$/.exec(line) ?? [];
    const node = Object.keys(pods).find((key) => pods[key]!.name === name);
    if (node === undefined || pods[node]!.problem !== undefined) continue;
    const isUp = phase === undefined || ready !== undefined;
    if (isUp && !isIPv4(address!)) continue;
    pods[node] = isUp ? { name: name!, address } : { name: name!, problem: `${phase}${why!.trim() === '' ? '' : `: ${why!.trim()}`}` };
  }
  for (const [node, { name, address, problem }] of Object.entries(pods)) {
    if (address === undefined && problem === undefined) pods[node] = { name, problem: 'it was not made' };
  }
}

function gate(): { passed: Promise<void>; open(): void } {
  let open!: () => void;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { passed, open: () => open() };
}
