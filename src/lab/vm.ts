import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SlipwayError } from '../base/errors.ts';
import { sh } from '../base/quote.ts';
import { attempt } from './command.ts';
import { hostLink } from './layout.ts';
import { withLock } from './lock.ts';
import { kvmFile } from './paths.ts';
import type { Power } from './supervisor.ts';

const MEMORY_MIB = 3072;
const PROCESSORS = 2;

/** Milliseconds until a kernel without a disk has given up; emulated, it takes some seconds. */
const TRIAL_MS = 30_000;

export type Accelerator = 'kvm' | 'tcg';

export interface VmOptions {
  accelerator: Accelerator;
  /** The host's own directory, with `disk.img`. */
  directory: string;
  kernel: string;
  initrd: string;
  machine: string;
  bridge: string;
}

/** A host that is a virtual machine: QEMU with a kernel, a disk and a clock of its own, on a tap of the lab's bridge. */
export function vmPower({ accelerator, directory, kernel, initrd, machine, bridge }: VmOptions): Power {
  const link = hostLink(machine);
  return {
    prepare: ':',
    begin: sh`ip link delete ${link} 2>/dev/null || true
ip tuntap add dev ${link} mode tap
ip link set ${link} master ${bridge} up`,
    command: [
      ...['qemu-system-x86_64', '-name', machine, '-nodefaults', '-no-user-config', '-display', 'none', '-serial', 'stdio'],
      ...processor(accelerator),
      ...['-smp', String(PROCESSORS), '-m', String(MEMORY_MIB)],
      // A loss of power takes what the guest has not written; what it has written is safe with this machine, which goes on.
      ...['-drive', `file=${directory}/disk.img,if=virtio,format=raw,cache=unsafe,discard=unmap`],
      ...[
        '-netdev',
        `tap,id=n,ifname=${link},script=no,downscript=no`,
        '-device',
        `virtio-net-pci,netdev=n,mac=${macOf(machine)},romfile=`,
      ],
      ...['-device', 'virtio-rng-pci', '-kernel', kernel, '-initrd', initrd],
      ...['-append', 'root=/dev/vda rw console=ttyS0 net.ifnames=0'],
    ],
  };
}

const processor = (accelerator: Accelerator): string[] =>
  accelerator === 'kvm' ? ['-accel', 'kvm', '-cpu', 'host'] : ['-accel', 'tcg,thread=multi', '-cpu', 'max'];

/** Locally administered, in the range that QEMU's documentation names. */
function macOf(machine: string): string {
  const [a, b, c] = createHash('sha256').update(machine).digest();
  return ['52', '54', '00', ...[a!, b!, c!].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

/** The kernel of an image with its first root file system. */
export async function kernelOf(image: string): Promise<{ kernel: string; initrd: string }> {
  const names = await readdir(join(image, 'boot'));
  const kernel = names.find((name) => name.startsWith('vmlinuz-'))!;
  return { kernel: join(image, 'boot', kernel), initrd: join(image, 'boot', kernel.replace('vmlinuz', 'initrd.img')) };
}

/**
 * KVM where a kernel really boots with it: the device may be there, and stop at an instruction that it cannot emulate. Found out once for each boot
 * of this machine.
 */
export async function accelerator(image: string): Promise<Accelerator> {
  if (!existsSync('/dev/kvm')) return 'tcg';
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  return withLock(`${kvmFile()}.lock`, { wait: true, what: 'the trial of KVM' }, async () => {
    const [of, found] = (await readFile(kvmFile(), 'utf8').catch(() => '')).trim().split(' ');
    if (of === boot && (found === 'kvm' || found === 'tcg')) return found;
    const result = (await bootsWithKvm((await kernelOf(image)).kernel)) ? 'kvm' : 'tcg';
    await writeFile(kvmFile(), `${boot} ${result}\n`);
    return result;
  });
}

/** Without a disk a kernel comes as far as looking for one, and panics. */
async function bootsWithKvm(kernel: string): Promise<boolean> {
  const args = [...processor('kvm'), '-nodefaults', '-no-user-config', '-display', 'none', '-serial', 'stdio', '-m', '512', '-no-reboot'];
  const boot = ['-kernel', kernel, '-append', 'console=ttyS0 panic=-1'];
  const { stdout } = await attempt('timeout', ['--kill-after=1', String(TRIAL_MS / 1000), 'qemu-system-x86_64', ...args, ...boot]);
  return stdout.includes('Unable to mount root fs');
}

/** LAB_VM_UNSUPPORTED where the lab cannot make such hosts. */
export function requireVmMachine(): void {
  if (process.arch === 'x64') return;
  throw new SlipwayError(`virtual machines of the lab are made on amd64 only, and this is ${process.arch}`, {
    code: 'LAB_VM_UNSUPPORTED',
    category: 'usage',
    hint: 'leave --vm out: hosts are containers then',
  });
}
