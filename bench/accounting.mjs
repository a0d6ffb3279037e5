import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rounded } from './results.mjs';

/** Ticks in a second, of /proc and of the records alike, on every architecture that we run on (time(7), acct(5)). */
const TICKS = 100;
const RECORD = 64;
const OTHERS = 'shells and their tools';

/** What processes are for, by their names, of which the kernel keeps 15 characters; the first that fits. */
const purposes = [
  ['the operator’s program: node, or ssh and what the script calls', /^(node|ssh|bash|curl|openssl|cat|cp|ln|mkdir|sed|tr)$/],
  ['sshd', /^sshd/],
  ['unpacking', /^(zstd|gzip|tar)$/],
  ['checking digests', /^sha256sum$/],
  ['packages of the distribution', /^(apt|dpkg|deb-systemd|adduser|addgroup|perl|http$)/],
  ['containerd, and importing images', /^(containerd|ctr$|runc)/],
  ['Kubernetes, etcd, flannel, HAProxy', /^(kube|etcd|flanneld|haproxy|coredns|pause|bridge$|host-local$|portmap$|loopback$|flannel$)/],
  ['systemd', /^(systemd|systemctl|dbus|\(sd-)/],
];

/**
 * Counts the processor seconds of the whole machine from now on, by purpose: the kernel writes a record of each process that ends, and what still
 * lives is asked. The rest is the kernel's own and that of processes which ended within one tick. Wants root and the program accton.
 */
export function accounting(file) {
  writeFileSync(file, '');
  execFileSync('accton', [file], { stdio: 'ignore' });
  const [livedBefore, busyBefore] = [living(), busy()];
  return {
    end() {
      const all = busy() - busyBefore;
      // Before the living are asked, or who ends meanwhile would count twice.
      stopAccounting();
      const used = [...ended(readFileSync(file)), ...living().values()].map(({ pid, name, seconds }) => {
        const before = livedBefore.get(pid)?.seconds ?? 0;
        // Less than before: another process with the same number.
        return { name, seconds: seconds < before ? seconds : seconds - before };
      });
      const seconds = Object.fromEntries([...purposes.map(([purpose]) => [purpose, 0]), [OTHERS, 0]]);
      for (const one of used) seconds[purposeOf(one.name)] += one.seconds;
      seconds['the kernel, and what ended within a hundredth of a second'] = all - used.reduce((sum, one) => sum + one.seconds, 0);
      return {
        all: rounded(all),
        purposes: Object.fromEntries(Object.entries(seconds).map(([purpose, value]) => [purpose, rounded(value)])),
      };
    },
  };
}

/** The kernel goes on with it until it is told, whoever began. */
export function stopAccounting() {
  execFileSync('accton', ['off'], { stdio: 'ignore' });
}

function purposeOf(name) {
  return purposes.find(([, names]) => names.test(name))?.[0] ?? OTHERS;
}

/** Processes by their id, without the kernel's own threads, which kthreadd (2) has made. */
function living() {
  const found = new Map();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const [, name, rest] = /\((.*)\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'));
      const fields = rest.split(' ');
      if (fields[1] !== '2') found.set(Number(pid), { pid: Number(pid), name, seconds: (Number(fields[11]) + Number(fields[12])) / TICKS });
    } catch (error) {
      if (!['ENOENT', 'ESRCH'].includes(error.code)) throw error;
    }
  }
  return found;
}

/** The records of acct_v3 (acct(5)): times are floating-point numbers of 13 bits with an exponent of 3 bits to the base of 8. */
function* ended(records) {
  const time = (at) => (records.readUInt16LE(at) & 0x1fff) * 8 ** (records.readUInt16LE(at) >> 13);
  for (let at = 0; at + RECORD <= records.length; at += RECORD)
    yield {
      pid: records.readUInt32LE(at + 16),
      seconds: (time(at + 32) + time(at + 34)) / TICKS,
      name: records.toString('latin1', at + 48, at + 64).replace(/\0.*$/s, ''),
    };
}

/** Processor seconds in which the machine was not idle, since it was booted. */
function busy() {
  const [user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8').split('\n')[0].split(/ +/).slice(1).map(Number);
  return (user + nice + system + irq + softirq) / TICKS;
}
