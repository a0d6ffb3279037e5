import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { SlipwayError } from '../base/errors.ts';
import { run } from './command.ts';
import { requireVmMachine } from './vm.ts';

/** What the lab calls, and the Debian package that has it. */
const programs: readonly { needs: string; package: string }[] = [
  { needs: 'mmdebstrap', package: 'mmdebstrap' },
  { needs: 'systemd-nspawn', package: 'systemd-container' },
  { needs: 'ip', package: 'iproute2' },
  { needs: 'iptables', package: 'iptables' },
  { needs: '/usr/share/keyrings/debian-archive-keyring.gpg', package: 'debian-archive-keyring' },
  { needs: 'ssh', package: 'openssh-client' },
  { needs: 'ssh-keygen', package: 'openssh-client' },
  { needs: 'setpriv', package: 'util-linux' },
];

const ofVms: typeof programs = [
  { needs: 'qemu-system-x86_64', package: 'qemu-system-x86' },
  { needs: 'mke2fs', package: 'e2fsprogs' },
];

export interface Kinds {
  /** Virtual machines too. Default false. */
  vms?: boolean;
}

/** Debian packages that the lab needs and this machine has not. */
export async function labPrerequisites({ vms = false }: Kinds = {}): Promise<{ missing: string[] }> {
  const missing = await Promise.all([...programs, ...(vms ? ofVms : [])].map(async (p) => ((await found(p.needs)) ? [] : [p.package])));
  return { missing: [...new Set(missing.flat())] };
}

/** Installs what is missing with this machine's own apt. */
export async function installPrerequisites(onProgress: (text: string) => void = () => undefined): Promise<void> {
  requireRoot();
  const { missing } = await labPrerequisites();
  if (missing.length === 0) return;
  onProgress(`installing ${missing.join(', ')}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['update', '--quiet'], { env });
  await run('apt-get', ['install', '--yes', '--quiet', '--no-install-recommends', ...missing], { env });
}

/** LAB_NOT_LINUX, LAB_NOT_ROOT, LAB_VM_UNSUPPORTED or LAB_PREREQUISITES when this machine cannot hold a lab. */
export async function requireMachine(kinds: Kinds = {}): Promise<void> {
  requireRoot();
  if (kinds.vms === true) requireVmMachine();
  const { missing } = await labPrerequisites(kinds);
  if (missing.length === 0) return;
  throw new SlipwayError(`the lab needs ${missing.join(', ')} on this machine`, {
    code: 'LAB_PREREQUISITES',
    category: 'usage',
    hint: `apt-get install ${missing.join(' ')}`,
  });
}

/** LAB_NOT_LINUX or LAB_NOT_ROOT: all that touches a lab needs both. */
export function requireRoot(): void {
  if (process.platform !== 'linux') {
    throw new SlipwayError('the lab makes its hosts with systemd-nspawn, which is only on Linux', {
      code: 'LAB_NOT_LINUX',
      category: 'usage',
      hint: 'Run it in a Linux virtual machine; clusters on real hosts can be made from any system.',
    });
  }
  if (process.geteuid?.() !== 0) {
    throw new SlipwayError('the lab makes networks and mounts, and needs root for them', {
      code: 'LAB_NOT_ROOT',
      category: 'usage',
      hint: 'Run it with sudo.',
    });
  }
}

async function found(needs: string): Promise<boolean> {
  const candidates = needs.startsWith('/')
    ? [needs]
    : [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'].map((d) => join(d, needs));
  const answers = await Promise.all(
    candidates.map((path) =>
      access(path, needs.startsWith('/') ? constants.R_OK : constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return answers.includes(true);
}
