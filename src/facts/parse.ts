import { SlipwayError } from '../base/errors.ts';
import type { ClusterTraces, Facts } from './facts.ts';
import { readAddresses, readChains, readLinks, readRoute, readRoutes, readSockets } from './network-output.ts';
import { address, hostnameOf, printable, wholeNumber, word } from './values.ts';

const architectures: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64', armv7l: 'arm', i686: '386' };

/** Whether this line carries the host's clock: the moment it arrives is the operator's clock for parseFacts. */
export function isClockLine(line: string): boolean {
  return line.startsWith('@facts clock ');
}

/**
 * The inverse of factsScript: finds its part in what a script printed. `operatorClock` is in milliseconds since 1970, `host` the name for errors.
 * The host is a stranger: names, addresses and numbers that are none are left out. Throws FACTS_INCOMPLETE when the part is missing or cut off,
 * HOST_NAME_INVALID (refused) for a hostname that is none.
 */
export function parseFacts(stdout: string, operatorClock: number, host?: string): Facts {
  const sections = split(printable(stdout));
  const section = (name: string): readonly string[] => sections.get(name) ?? [];
  const values = keyed(section('values'), ' ');
  const files = keyed(section('files'), ':');
  const os = readOs(section('os'));
  const features = new Set(
    section('features')
      .filter((line) => line.endsWith(' yes'))
      .map((line) => line.slice(0, -4)),
  );
  const container = files.get('/run/systemd/container');
  const commands = section('commands');
  const chains = readChains(section('chains'));
  const services = readServices(section('services'));
  const present = commands.includes('iptables');
  const memory = keyed(section('memory'), ':');
  const kib = (key: string): number => wholeNumber(memory.get(key)?.replace(/ kB$/, '')) * 1024;
  const version = values.get('iptables') ?? '';
  const leftovers = section('leftovers').map((line) => ({ of: line.slice(0, line.indexOf(' ')), path: line.slice(line.indexOf(' ') + 1) }));

  return {
    hostname: hostnameOf(readHostname(section('files')), host),
    os,
    arch: architectures[values.get('arch') ?? ''] ?? word(values.get('arch')),
    kernel: word(values.get('kernel')),
    init: files.get('/proc/1/comm') ?? '',
    systemdVersion: Number(/^systemd (\d+)/.exec(values.get('systemd') ?? '')?.[1] ?? 0),
    machineId: word(files.get('/etc/machine-id')),
    productUuid: container === undefined ? files.get('/sys/class/dmi/id/product_uuid')?.toLowerCase() : undefined,
    bootId: [
      files.get('/proc/sys/kernel/random/boot_id') ?? '',
      ...(container === undefined ? [] : [startTime(files.get('/proc/1/stat') ?? '')]),
    ].join('/'),
    container,
    cpus: Math.max(1, wholeNumber(values.get('cpus'))),
    memory: { total: kib('MemTotal'), available: kib('MemAvailable') },
    disks: readDisks(section('disks')),
    clock: { host: readClock(sections.get('clock')?.[0] ?? ''), operator: operatorClock },
    interfaces: readLinks(section('link'), readAddresses(section('address'))),
    routes: readRoutes(section('route')),
    routesTo: Object.fromEntries(
      section('ways').flatMap((line) => {
        const [, peer, way] = /^to (\S+) (.*)$/.exec(line) ?? [];
        const known = address(peer);
        return known === undefined ? [] : [[known, readRoute(way!)]];
      }),
    ),
    swap: section('swaps')
      .slice(1)
      .map((line) => {
        const words = line.split(/\s+/);
        return { device: words[0]!, size: wholeNumber(words[2]) * 1024 };
      }),
    kernelFeatures: {
      cgroup: values.get('cgroup') === '2' ? 2 : 1,
      cgroupControllers: readControllers(section('cgroups'), files.get('/sys/fs/cgroup/cgroup.controllers')),
      overlay: features.has('overlay'),
      vxlan: features.has('vxlan'),
      bridgeNetfilter: features.has('bridge'),
      wireguard: features.has('wireguard'),
      ipvs: features.has('ipvs'),
      nftables: features.has('nftables'),
      tun: features.has('tun'),
      unloaded: section('features').flatMap((line) => (line.startsWith('unloaded ') ? [line.slice(9)] : [])),
      conntrackWritable: features.has('conntrack'),
      oomScoreAdjNegative: features.has('oom'),
      inotifyInstances: wholeNumber(files.get('/proc/sys/fs/inotify/max_user_instances')),
    },
    iptables: {
      present,
      mode: !present
        ? 'unknown'
        : version.includes('nf_tables')
          ? 'nft'
          : /legacy|^iptables v1\.[0-7]\./.test(version)
            ? 'legacy'
            : 'unknown',
      version: /v(\d[\d.]*)/.exec(version)?.[1] ?? '',
      forwardPolicy: chains.forwardPolicy ?? (present || commands.includes('nft') ? 'ACCEPT' : 'unknown'),
    },
    firewall: {
      firewalld: services.has('firewalld'),
      ufw: services.has('ufw-enabled') && commands.includes('ufw'),
      docker: services.has('docker') || commands.includes('dockerd'),
      nftablesService: services.has('nftables'),
      dropChains: chains.drop,
    },
    selinux: ({ '1': 'enforcing', '0': 'permissive' } as const)[files.get('/sys/fs/selinux/enforce') ?? ''] ?? 'disabled',
    listening: readSockets(section('sockets')),
    resolvConf: readResolv(section('resolv')),
    proxies: readProxies(section('proxies')),
    commands,
    containerdBeside: isBeside(section('cluster'), leftovers),
    cluster: readCluster(section('cluster')),
    leftovers,
  };
}

/** Where we have been, our containerd stays where it is, whatever came or went since. */
function isBeside(recorded: readonly string[], leftovers: Facts['leftovers']): boolean {
  const ours = recorded.find((line) => line.includes('containerd.service'));
  return ours === undefined ? leftovers.some(({ of }) => of === 'containerd') : ours.includes('slipway-');
}

function readCluster(lines: readonly string[]): ClusterTraces | undefined {
  const first = (pattern: RegExp): string | undefined => lines.map((line) => pattern.exec(line)?.[1]).find((found) => found !== undefined);
  const traces = {
    name: first(/^"cluster" *: *"([^"]*)"$/),
    host: first(/^"host" *: *"([^"]*)"$/),
    id: first(/^id ([0-9a-f]{32})$/),
    authority: first(/^authority ([0-9a-f]{64}) /),
  };
  return Object.values(traces).every((value) => value === undefined) ? undefined : traces;
}

function split(stdout: string): Map<string, string[]> {
  const sections = new Map<string, string[]>();
  let lines: string[] | undefined;
  for (const line of stdout.split('\n')) {
    const [, name, rest] = /^@facts (\S+) ?(.*)$/.exec(line) ?? [];
    if (name === 'end') return sections;
    if (name !== undefined && (lines !== undefined || name === 'begin')) sections.set(name, (lines = rest === '' ? [] : [rest!]));
    else if (line !== '') lines?.push(line);
  }
  throw new SlipwayError(lines === undefined ? 'the host printed no facts' : 'the host stopped in the middle of its facts', {
    code: 'FACTS_INCOMPLETE',
    category: 'failed',
    evidence: stdout.slice(-500),
    hint: 'Run the same command again; if it fails again, look for a shell profile, a restricted shell or a full process table on the host.',
  });
}

function keyed(lines: readonly string[], separator: string): Map<string, string> {
  return new Map(
    lines.flatMap((line) => {
      const at = line.indexOf(separator);
      return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1).trim()]];
    }),
  );
}

/** The name may have line ends: each of its lines counts, not the last alone. */
function readHostname(files: readonly string[]): string {
  const file = '/proc/sys/kernel/hostname:';
  return files
    .filter((line) => line.startsWith(file))
    .map((line) => line.slice(file.length))
    .join('\n');
}

/** os-release(5): shell assignments with optional quotes. */
function readOs(lines: readonly string[]): Facts['os'] {
  const value = new Map(
    [...keyed(lines, '=')].map(([key, text]) => [key, text.replace(/^(["'])(.*)\1$/, '$2').replaceAll(/\\(["'$`\\])/g, '$1')]),
  );
  return {
    id: (value.get('ID') ?? 'linux').toLowerCase(),
    versionId: value.get('VERSION_ID') ?? '',
    prettyName: value.get('PRETTY_NAME') ?? value.get('NAME') ?? 'Linux',
    like: (value.get('ID_LIKE') ?? '').toLowerCase().split(' ').filter(Boolean),
  };
}

/** Field 22 of proc_pid_stat(5), counted behind the command name, which may hold spaces. */
function startTime(stat: string): string {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

/** `date +%s%3N`, which busybox prints without the milliseconds. */
function readClock(text: string): number {
  const [, digits = '0'] = /^(\d+)/.exec(text) ?? [];
  return digits.length > 11 ? Number(digits) : Number(digits) * 1000;
}

function readDisks(lines: readonly string[]): Facts['disks'] {
  const words = lines.map((line) => line.split(' '));
  const mounts = words.filter(([kind]) => kind === 'mount').map(([, path, type, ...options]) => ({ path: path!, type: type!, options }));
  return words.flatMap(([kind, path, existing]) => {
    if (kind !== 'path') return [];
    const size = words.find((line) => line[0] === 'size' && line[1] === existing);
    if (size === undefined) return [];
    const [block, free, total] = size.slice(2, 5).map(wholeNumber) as [number, number, number];
    // The last of the longest: a later mount hides an earlier one.
    const mount = mounts
      .filter((m) => m.path === '/' || existing === m.path || existing!.startsWith(`${m.path}/`))
      .reduce<(typeof mounts)[number] | undefined>(
        (best, m) => (best === undefined || m.path.length >= best.path.length ? m : best),
        undefined,
      );
    return [
      {
        path: path!,
        free: block * free,
        total: block * total,
        type: mount?.type,
        readOnly: mount?.options.includes('ro') ?? false,
        noexec: mount?.options.includes('noexec') ?? false,
      },
    ];
  });
}

function readControllers(version1: readonly string[], version2: string | undefined): string[] {
  if (version2 !== undefined) return version2.split(' ').filter(Boolean);
  return version1.filter((line) => /^\w+\s+\d+\s+\d+\s+1$/.test(line)).map((line) => line.split(/\s+/)[0]!);
}

/** Names that are enabled or active; `ufw-enabled` is what ufw itself says, whose unit runs also when it is off. */
function readServices(lines: readonly string[]): Set<string> {
  const found = new Set<string>();
  let unit = '';
  for (const line of lines) {
    const [, id] = /^Id=(.*)\.service$/.exec(line) ?? [];
    if (id !== undefined) unit = id;
    else if (line === 'ActiveState=active' || line === 'ActiveState=reloading') found.add(unit);
    else if (line.endsWith(' enabled')) found.add(line.slice(0, -8));
    else if (/^ENABLED=["']?yes/.test(line)) found.add('ufw-enabled');
  }
  return found;
}

function readResolv(lines: readonly string[]): Facts['resolvConf'] {
  const files = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of lines) {
    if (line.startsWith('file ')) files.set(line.slice(5), (current = []));
    else current.push(...[address(line.trim().split(/\s+/)[1])].filter((server) => server !== undefined));
  }
  const own = files.get('/etc/resolv.conf') ?? [];
  const real = '/run/systemd/resolve/resolv.conf';
  const stub = own.length > 0 && own.every((server) => server === '127.0.0.53' || server === '127.0.0.54');
  if (stub && files.has(real)) return { path: real, nameservers: files.get(real)! };
  return { path: '/etc/resolv.conf', nameservers: own };
}

function readProxies(lines: readonly string[]): Record<string, string> {
  const proxies: Record<string, string> = {};
  for (const line of lines.filter((text) => !text.trimStart().startsWith('#'))) {
    for (const [, name, value] of line.matchAll(/\b((?:https?|no|all)_proxy)=["']?([^"'\s]*)/gi)) {
      if (value !== '') proxies[name!.toLowerCase()] = value!;
    }
  }
  return proxies;
}
