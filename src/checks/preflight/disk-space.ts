import type { Facts } from '../../facts/facts.ts';
import type { Host } from '../../config/cluster.ts';
import { finding, isOurs, list, perHost, size, type PreflightCheck, type PreflightFinding } from './preflight.ts';

const GiB = 2 ** 30;

type Disk = Facts['disks'][number];

/** What each directory must hold: `least` is refused below, `better` is warned below. */
const needs: readonly { path: string; least: number; better: number; onlyFor?: (host: Host) => boolean }[] = [
  { path: '/opt', least: 1.5 * GiB, better: 3 * GiB },
  { path: '/var/lib', least: 0.5 * GiB, better: 2 * GiB },
  { path: '/var/lib/etcd', least: 0.5 * GiB, better: 8 * GiB, onlyFor: ({ roles }) => roles.includes('etcd') },
  { path: '/var/lib/containerd', least: 1 * GiB, better: 10 * GiB },
  { path: '/var/lib/kubelet', least: 0.5 * GiB, better: 2 * GiB },
];

/** The kubelet's own eviction thresholds (imagefs.available<15%, nodefs.available<10%): below, it evicts pods and admits none. */
const eviction: readonly { path: string; share: number }[] = [
  { path: '/var/lib/containerd', share: 0.15 },
  { path: '/var/lib/kubelet', share: 0.1 },
];

export const diskSpace: PreflightCheck = {
  id: 'disk-space',
  title: 'The file systems have room and can be written',
  run: (context) =>
    perHost(context, (host, facts) => {
      const disk = (path: string): Disk | undefined => facts.disks.find((candidate) => candidate.path === path);
      const wanted = needs.filter(({ onlyFor }) => onlyFor === undefined || onlyFor(host));
      return [
        ...usable(
          host.name,
          wanted.map(({ path }) => disk(path)),
        ),
        ...room({ host: host.name, wanted, disk, ours: isOurs(facts) }),
        ...pressure(host.name, disk),
      ];
    }),
};

function usable(host: string, disks: readonly (Disk | undefined)[]): PreflightFinding[] {
  const present = disks.filter((disk) => disk !== undefined);
  const readOnly = present.filter((disk) => disk.readOnly).map(({ path }) => path);
  const overlay = present.find(({ path, type }) => path === '/var/lib/containerd' && (type === 'overlay' || type === 'aufs'));
  return [
    ...(readOnly.length === 0
      ? []
      : [
          finding('error', host, {
            what: `${list(readOnly)} cannot be written: the file system is mounted read-only`,
            hint: 'Look in dmesg for the cause, then mount -o remount,rw, or mount a writable file system there.',
          }),
        ]),
    ...(present.some(({ path, noexec }) => path === '/opt' && noexec)
      ? [
          finding('error', host, {
            what: '/opt is mounted noexec, so no program can run from there',
            hint: 'Remove noexec from its options in /etc/fstab, then mount -o remount,exec the file system.',
          }),
        ]
      : []),
    ...(overlay === undefined
      ? []
      : [
          finding('error', host, {
            what: `/var/lib/containerd lies on ${overlay.type!}, on which containers cannot be stacked`,
            hint: 'Mount a file system of another type there, such as ext4 or xfs.',
          }),
        ]),
  ];
}

interface Question {
  host: string;
  wanted: typeof needs;
  disk(path: string): Disk | undefined;
  /** Most of what is needed is there already. */
  ours: boolean;
}

/** Directories of one file system share its room, so their needs add up. */
function room({ host, wanted, disk, ours }: Question): PreflightFinding[] {
  const systems = new Map<string, { free: number; paths: string[]; least: number; better: number }>();
  for (const { path, least, better } of wanted) {
    const here = disk(path);
    if (here === undefined) continue;
    const key = `${here.total} ${here.free}`;
    const known = systems.get(key) ?? { free: here.free, paths: [], least: 0, better: 0 };
    systems.set(key, { free: here.free, paths: [...known.paths, path], least: known.least + least, better: known.better + better });
  }
  return [...systems.values()].flatMap(({ free, paths, least, better }) => {
    const short = free < least;
    if (!short && (ours || free >= better)) return [];
    return [
      finding(short && !ours ? 'error' : 'warning', host, {
        what: `${size(free)} free for ${list(paths)}; ${short ? `${size(least)} are the least` : `${size(better)} are better`}`,
        hint: 'Free some space, enlarge the file system, or mount another one there.',
      }),
    ];
  });
}

function pressure(host: string, disk: (path: string) => Disk | undefined): PreflightFinding[] {
  const tight = eviction.filter(({ path, share }) => {
    const here = disk(path);
    return here !== undefined && here.total > 0 && here.free / here.total < share;
  });
  const [first] = tight;
  if (first === undefined) return [];
  const here = disk(first.path)!;
  return [
    finding('warning', host, {
      what: `only ${Math.floor((here.free / here.total) * 100)} % of the file system of ${first.path} is free: below ${first.share * 100} % the kubelet evicts pods and admits none`,
      hint: 'Free some space or enlarge the file system before pods run there.',
    }),
  ];
}
