import { bug, isSlipwayError, messageOf, SlipwayError } from '../../base/errors.ts';
import type { Cluster, Host } from '../../config/cluster.ts';
import type { Facts } from '../../facts/facts.ts';
import { isClockLine, parseFacts } from '../../facts/parse.ts';
import { factsScript } from '../../facts/script.ts';
import { connect } from '../../remote/connect.ts';
import type { HostKeyQuestion, Prompts } from '../../remote/target.ts';
import { targetsOf } from '../targets.ts';

/** What became of one host. */
export type ProbeResult =
  | { kind: 'facts'; facts: Facts }
  /** Its key is not in known_hosts; nothing was sent to it. */
  | { kind: 'unknown-key'; question: HostKeyQuestion }
  /** `secretWanted`: it may work when somebody can be asked for a password or passphrase. */
  | { kind: 'error'; error: SlipwayError; secretWanted: boolean };

export interface ProbeRequest {
  /** The cluster as far as it is known. */
  cluster: Cluster;
  /** Names of the hosts to look at. */
  hosts: readonly string[];
  /** Keys that a person has confirmed, as keyId gives them. */
  accepted: ReadonlySet<string>;
  /** Asks for passwords and passphrases; undefined while other questions are on the screen. */
  secret: Prompts['secret'] | undefined;
  signal: AbortSignal;
}

/** Looks at hosts and tells of each as soon as it is known. Resolves when all are; rejects only when it was interrupted (ABORTED). */
export type Probe = (request: ProbeRequest, onResult: (host: string, result: ProbeResult) => void) => Promise<void>;

/** A key at an address: the same key elsewhere is not confirmed by it. */
export function keyId({ address, type, fingerprint }: HostKeyQuestion): string {
  return `${address} ${type} ${fingerprint}`;
}

const AT_ONCE = 32;
/** A route to any of them tells which network the nodes share; asking for all would be O(hosts) on every host. */
const PEERS = 3;

/** Logs in to the hosts, reads their facts, and leaves. */
export const sshProbe: Probe = async (request, onResult) => {
  const waiting = request.cluster.hosts.filter(({ name }) => request.hosts.includes(name));
  const desk = helpDesk(request);
  const work = async (): Promise<void> => {
    for (let host = waiting.shift(); host !== undefined; host = waiting.shift()) onResult(host.name, await look(host, request, desk));
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, waiting.length) }, work));
};

/** Answers all connections of one look; they share it, so that a passphrase is asked for once. */
interface HelpDesk {
  prompts: Prompts;
  /** Keys that nobody has confirmed, by host: a host of the cluster, or a jump host on the way. */
  unknownKeys: Map<string, HostKeyQuestion>;
  /** Whether a secret was wanted that nobody could be asked for. */
  secretMissing(): boolean;
}

function helpDesk({ accepted, secret }: ProbeRequest): HelpDesk {
  const unknownKeys = new Map<string, HostKeyQuestion>();
  let missing = false;
  return {
    unknownKeys,
    secretMissing: () => missing,
    prompts: {
      secret: async (question) => {
        missing ||= secret === undefined;
        return secret?.(question);
      },
      hostKey: async (question) => {
        const isGood = accepted.has(keyId(question));
        if (!isGood) unknownKeys.set(question.host, question);
        return isGood;
      },
    },
  };
}

const NEEDS_SECRET = ['AUTH_REFUSED', 'KEY_PASSPHRASE_NEEDED', 'SUDO_PASSWORD_NEEDED'];

async function look(host: Host, request: ProbeRequest, { prompts, unknownKeys, secretMissing }: HelpDesk): Promise<ProbeResult> {
  try {
    const [target] = await targetsOf({ ...request.cluster, hosts: [host] });
    if (target === undefined) throw bug(`no way to reach ${host.name}`);
    const runner = await connect(target, { prompts, signal: request.signal });
    try {
      return { kind: 'facts', facts: await readFacts(host.name, runner, request) };
    } finally {
      await runner.close();
    }
  } catch (error) {
    if (!isSlipwayError(error) || error.code === 'ABORTED') throw error;
    const question = error.code === 'HOST_KEY_UNKNOWN' ? unknownKeys.get(error.where.host ?? host.name) : undefined;
    if (question !== undefined) return { kind: 'unknown-key', question };
    return { kind: 'error', error, secretWanted: secretMissing() && NEEDS_SECRET.includes(error.code) };
  }
}

async function readFacts(name: string, runner: Awaited<ReturnType<typeof connect>>, { cluster, signal }: ProbeRequest): Promise<Facts> {
  const peers = cluster.hosts
    .filter((other) => other.name !== name)
    .map((other) => other.privateAddress ?? other.address)
    .slice(0, PEERS);
  let clock = Date.now();
  const result = await runner.run(factsScript({ peers }), {
    signal,
    onLine: (line) => {
      if (isClockLine(line)) clock = Date.now();
    },
  });
  try {
    return parseFacts(result.stdout, clock, name);
  } catch (error) {
    if (isSlipwayError(error) && error.category === 'refused') throw error;
    throw new SlipwayError(`the facts of ${name} cannot be read: ${messageOf(error)}`, {
      code: 'FACTS_INCOMPLETE',
      category: 'failed',
      where: { host: name },
      evidence: result.stderr.slice(-2000),
      cause: error,
    });
  }
}
