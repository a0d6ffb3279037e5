import { quote } from '../base/quote.ts';

/** What of a host the engine compares a plan with. Read in one script together with the facts. */
export interface HostState {
  files: Readonly<Record<string, FileState>>;
  directories: Readonly<Record<string, { mode: string; owner: string }>>;
  links: Readonly<Record<string, string>>;
  units: Readonly<Record<string, UnitState>>;
  users: readonly string[];
  sysctls: Readonly<Record<string, string>>;
  /** Commands that exist, as far as the facts asked. */
  commands: readonly string[];
  /** `NAME/VERSION` to content digest, for complete and unchanged deliveries only. */
  artefacts: Readonly<Record<string, string>>;
  /**
   * What was done here by earlier runs: step id to digest of what was wanted. Whoever looks later can tell what somebody changed behind our back
   * (drift) from what the cluster file wants otherwise since (pending changes).
   */
  recorded: Readonly<Record<string, string>>;
  /** Output of the probes that were asked for, trimmed. */
  probes: Readonly<Record<string, string>>;
}

export interface FileState {
  sha256: string;
  mode: string;
  owner: string;
}

export interface UnitState {
  loaded: boolean;
  masked?: boolean;
  enabled: boolean;
  active: string;
  needsReload: boolean;
  /** The unit file that systemd has read; /lib is told as /usr/lib. */
  path?: string | undefined;
  restarts: number;
  /** SLIPWAY_INPUTS of the running process. */
  digest: string | undefined;
}

export interface InspectRequest {
  /** Directories and files whose contents we own: listed and hashed. */
  roots: readonly string[];
  /** Directories that are looked at, but not into. */
  directories: readonly string[];
  units: readonly string[];
  sysctls: readonly string[];
  /** Shell text by name; its output is the probe's value. */
  probes: Readonly<Record<string, string>>;
}

/** What starts at boot. systemd's own UnitFileState may be from before our links, which it is not told of. */
const WANTS = '/etc/systemd/system/multi-user.target.wants';

/** Where deliveries live on a host. */
export const OPT = '/opt/slipway';
/** Where we remember what we did to a host. */
export const VAR = '/var/lib/slipway';
/** What was done, a line for each step: digest and id. The last one of an id counts. */
export const RECORD = `${VAR}/wanted`;
/** Where what holds only until the next boot lives: locks, digests of oneshot units. */
export const RUN = '/run/slipway';

/**
 * Shell text that prints a host's state as sections of lines. It does not exit, read standard input or change anything.
 * Hashing covers configuration only: binaries are recognised by the size and time recorded when they were verified, and by their modes.
 */
export function inspectScript(request: InspectRequest): string {
  const words = (list: readonly string[]): string => list.map(quote).join(' ');
  const probes = Object.entries(request.probes).map(
    ([name, text]) => `printf '@probe %s\\n' ${quote(name)}\n( ${text}\n) 2>/dev/null </dev/null | sed 's/^/ /'`,
  );
  return `
echo '@list'
find ${WANTS} -maxdepth 1 -type l -printf '%y %m %u:%g %p\\t%l\\n' 2>/dev/null
find -H ${words(request.directories)} -maxdepth 0 -printf '%y %m %u:%g %p\\t%l\\n' 2>/dev/null
find ${words(request.roots)} -maxdepth 8 \\( -type f -o -type d -o -type l \\) -printf '%y %m %u:%g %p\\t%l\\n' 2>/dev/null
echo '@hash'
find ${words(request.roots)} -maxdepth 8 -type f -size -2048k -exec sha256sum {} + 2>/dev/null
echo '@opt'
find -H ${OPT} -mindepth 3 -maxdepth 3 -type f ! -name .manifest -user root -perm -0444 ! -perm /022 \\( -perm -0111 -o -name '*.tar' -o -name SHA256SUMS \\) -printf '%P %s %T@\\n' 2>/dev/null
echo '@manifest'
for s_m in ${OPT}/*/*/.manifest; do [ -f "$s_m" ] && sed "s|^|$s_m |" "$s_m"; done
echo '@units'
s_units=${quote(request.units.join(' '))}
systemctl show -p Id,LoadState,ActiveState,MainPID,NRestarts,NeedDaemonReload,FragmentPath $s_units 2>/dev/null
echo '@digests'
s_pids=$(systemctl show -P MainPID $s_units 2>/dev/null)
for s_p in $s_pids; do [ "$s_p" != 0 ] && set -- "$@" "/proc/$s_p/environ"; done
[ $# -gt 0 ] && grep -aozHs 'SLIPWAY_INPUTS=[0-9a-f]*' "$@" | tr '\\0' '\\n'
set --
echo '@record'
cat ${RECORD} 2>/dev/null
echo '@users'
getent passwd | cut -d: -f1
echo '@sysctls'
for s_k in ${words(request.sysctls.map((key) => key.replaceAll('.', '/')))}; do [ -r "/proc/sys/$s_k" ] && { printf '%s=' "$s_k"; tr '\\t' ' ' <"/proc/sys/$s_k"; }; done
${probes.join('\n')}
echo '@end'
`;
}

/** The inverse of inspectScript: takes the lines it printed, and the commands that the facts found. */
export function parseState(output: string, commands: readonly string[]): HostState {
  const sections = split(output);
  const section = (name: string): string[] => sections.get(name) ?? [];
  const digests = readDigests(section('digests'));

  const files: Record<string, FileState> = {};
  const directories: Record<string, { mode: string; owner: string }> = {};
  const links: Record<string, string> = {};
  const hashes = new Map(section('hash').map((line) => [line.slice(66), line.slice(0, 64)]));
  for (const line of section('list')) {
    const match = /^(\w) (\d+) (\S+) (.*)\t(.*)$/.exec(line);
    if (!match) continue;
    const [, type, digits, owner, path, target] = match as unknown as [string, string, string, string, string, string];
    const mode = digits.padStart(4, '0');
    if (type === 'l') links[path] = target;
    else if (type === 'd') directories[path] = { mode, owner };
    else files[path] = { mode, owner, sha256: hashes.get(path) ?? '' };
  }

  const units: Record<string, UnitState> = {};
  for (const block of section('units')
    .join('\n')
    .split(/\n\n+|\n(?=MainPID=)/)) {
    const value = Object.fromEntries(
      block.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    if (!value['Id']) continue;
    units[value['Id']] = {
      loaded: value['LoadState'] === 'loaded',
      masked: value['LoadState'] === 'masked',
      enabled: links[`${WANTS}/${value['Id']}`] !== undefined,
      active: value['ActiveState'] ?? 'unknown',
      needsReload: value['NeedDaemonReload'] === 'yes',
      path: value['FragmentPath']?.replace(/^\/lib\//, '/usr/lib/'),
      restarts: Number(value['NRestarts'] ?? 0),
      digest: digests.get(`/proc/${value['MainPID']}/environ`),
    };
  }

  return {
    files,
    directories,
    links,
    units,
    users: section('users'),
    sysctls: Object.fromEntries(
      section('sysctls').map((line) => [line.slice(0, line.indexOf('=')).replaceAll('/', '.'), line.slice(line.indexOf('=') + 1).trim()]),
    ),
    commands,
    recorded: Object.fromEntries(section('record').map((line) => [line.slice(17), line.slice(0, 16)])),
    artefacts: readArtefacts(section('opt'), section('manifest')),
    probes: Object.fromEntries(
      [...sections]
        .filter(([name]) => name.startsWith('probe '))
        .map(([name, lines]) => [
          name.slice(6),
          lines
            .map((l) => l.slice(1))
            .join('\n')
            .trim(),
        ]),
    ),
  };
}

export const emptyState: HostState = {
  files: {},
  directories: {},
  links: {},
  units: {},
  users: [],
  sysctls: {},
  commands: [],
  artefacts: {},
  recorded: {},
  probes: {},
};

function split(output: string): Map<string, string[]> {
  const sections = new Map<string, string[]>();
  let lines: string[] = [];
  for (const line of output.split('\n')) {
    if (line.startsWith('@')) sections.set(line.slice(1), (lines = []));
    else if (line !== '' || lines.length > 0) lines.push(line);
  }
  for (const list of sections.values()) while (list.at(-1) === '') list.pop();
  return sections;
}

function readDigests(lines: readonly string[]): Map<string, string> {
  const digests = new Map<string, string>();
  for (const line of lines) {
    const match = /^(.*):(?:SLIPWAY_INPUTS=)?([0-9a-f]+)$/.exec(line);
    if (match) digests.set(match[1]!, match[2]!);
  }
  return digests;
}

/** A manifest is `digest HEX` and, for each file, `SIZE MTIME NAME`: a file that changed since it was verified makes the delivery unknown. */
function readArtefacts(present: readonly string[], manifests: readonly string[]): Record<string, string> {
  const seen = new Set(present);
  const result: Record<string, string> = {};
  const broken = new Set<string>();
  for (const line of manifests) {
    const match = new RegExp(`^${OPT}/([^/]+/[^/]+)/\\.manifest (?:digest ([0-9a-f]{64})|(\\d+) (\\S+) (\\S+))$`).exec(line);
    if (!match) continue;
    const [, key, digest, size, time, name] = match;
    if (digest) result[key!] = digest;
    else if (!seen.has(`${key}/${name} ${size} ${time}`)) broken.add(key!);
  }
  for (const key of broken) delete result[key];
  return result;
}
