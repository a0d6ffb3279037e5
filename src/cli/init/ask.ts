import { existsSync, readdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { clusterName, userName } from '../../config/fields.ts';
import type { Draft } from './draft.ts';
import { parseHostList, type HostEntry } from './hosts-input.ts';
import { hostsFromFlags, unanswerable } from './options.ts';
import type { Questions } from './questions.ts';
import type { Wizard } from './wizard.ts';

/** What is needed to connect. */
export async function askHosts({ options, questions, say }: Wizard): Promise<readonly HostEntry[]> {
  const given = hostsFromFlags(options);
  if (given !== undefined) return given;
  if (questions === undefined) throw unanswerable('which hosts to use', '--host');
  say('Which hosts shall become a cluster? Addresses or names, separated by spaces; 10.0.0.[11-14] stands for four.');
  const answer = await questions.text({
    message: 'Hosts:',
    validate: (text) => {
      const { hosts, problems } = parseHostList(text);
      return problems[0] ?? (hosts.length === 0 ? 'at least one host is needed' : undefined);
    },
  });
  return parseHostList(answer).hosts;
}

export async function askSsh(wizard: Wizard, hosts: readonly HostEntry[]): Promise<Draft['ssh']> {
  const { options, questions } = wizard;
  const everyHostHasUser = hosts.every(({ user }) => user !== undefined);
  const user = options.user ?? (questions === undefined || everyHostHasUser ? undefined : await askUser(questions));
  const identityFile = options.identityFile ?? (questions === undefined ? undefined : await askKey(questions, wizard));
  const { port, jump, knownHosts } = options;
  return {
    ...(user !== undefined && { user }),
    ...(port !== undefined && { port }),
    ...(identityFile !== undefined && { identityFile: portablePath(identityFile, wizard) }),
    ...(knownHosts !== undefined && { knownHosts: portablePath(knownHosts, wizard) }),
    ...(jump !== undefined && jump.length > 0 && { jump: [...jump] }),
  };
}

function askUser(questions: Questions): Promise<string> {
  return questions.text({
    message: 'Log in as (root, or a user who may use sudo):',
    default: userInfo().username,
    validate: (text) => userName.safeParse(text.trim()).error?.issues[0]?.message,
  });
}

const USUAL = 'usual';
const OTHER = 'other';

async function askKey(questions: Questions, { home, io }: Wizard): Promise<string | undefined> {
  const agent = io.env['SSH_AUTH_SOCK'] === undefined ? '' : 'the agent, then ';
  const keys = privateKeys(join(home, '.ssh'));
  const answer = await questions.choose({
    message: 'With which key?',
    choices: [
      { value: USUAL, name: `What ssh would use: ${agent}~/.ssh/id_*` },
      ...keys.map((name) => ({ value: `~/.ssh/${name}`, name: `~/.ssh/${name}` })),
      { value: OTHER, name: 'Another file' },
    ],
    default: USUAL,
  });
  if (answer === USUAL) return undefined;
  if (answer !== OTHER) return answer;
  return questions.text({
    message: 'Path of the private key:',
    validate: (text) => (existsSync(expandHome(text.trim(), home)) ? undefined : 'there is no such file'),
  });
}

/** Private keys have a public one beside them. */
function privateKeys(directory: string): string[] {
  try {
    const names = readdirSync(directory);
    return names.filter((name) => names.includes(`${name}.pub`)).sort();
  } catch {
    return [];
  }
}

/** A path as given, seen from the cluster file: below the home directory as ~, below the file's directory relative, else absolute. */
export function portablePath(path: string, { home, file }: Pick<Wizard, 'home' | 'file'>): string {
  if (path.startsWith('~/')) return path;
  const absolute = resolve(path);
  const inside = (directory: string): string | undefined => {
    const way = relative(directory, absolute);
    return way === '' || way === '..' || way.startsWith(`..${sep}`) ? undefined : way;
  };
  const besideFile = inside(dirname(file));
  if (besideFile !== undefined) return besideFile;
  const belowHome = inside(home);
  return belowHome === undefined ? absolute : `~/${belowHome}`;
}

function expandHome(path: string, home: string): string {
  return path.startsWith('~/') ? join(home, path.slice(2)) : resolve(path);
}

/** What can be answered while the hosts are looked at. */
export async function askCluster({ options, questions }: Wizard): Promise<Pick<Draft, 'name' | 'flannel' | 'metricsServer'>> {
  const name =
    options.name ??
    (await questions?.text({
      message: 'Name of the cluster:',
      default: 'kubernetes',
      validate: (text) => clusterName.safeParse(text.trim()).error?.issues[0]?.message,
    })) ??
    'kubernetes';
  const flannel =
    options.flannel ??
    ((await questions?.choose({
      message: 'How shall pods reach each other?',
      choices: [
        { value: 'vxlan', name: 'vxlan: works on any network' },
        { value: 'host-gw', name: 'host-gw: fastest, when all nodes are in one layer-2 network' },
        { value: 'wireguard', name: 'wireguard: encrypted, for networks that others can read' },
      ],
      default: 'vxlan',
    })) as Draft['flannel'] | undefined) ??
    'vxlan';
  const metricsServer =
    options.metricsServer ??
    (await questions?.confirm({ message: 'Install metrics-server (kubectl top, autoscaling)?', default: false })) ??
    false;
  return { name, flannel, metricsServer };
}
