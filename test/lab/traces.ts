import { execa } from 'execa';
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';

/** Everything on this machine that a lab of this name could have left behind, in words; the number is that of its network and links. */
export async function traces(name: string, options: { number?: number | undefined; directory: string }): Promise<string[]> {
  const { number, directory } = options;
  const output = async (command: string, ...args: string[]): Promise<string> => (await execa(command, args)).stdout;
  const [processes, links, rules, policies, groups] = await Promise.all([
    output('ps', '-e', '-o', 'pid=,args='),
    output('ip', '-brief', 'link'),
    output('iptables-save'),
    output('ip', 'rule'),
    output('find', '/sys/fs/cgroup', '-maxdepth', '3', '-name', `slipway-lab.${name}.*`),
  ]);
  const having = (text: string, ...words: string[]): string[] =>
    text.split('\n').filter((line) => words.some((word) => line.includes(word)));
  const numbered = number === undefined ? [] : [`slab${String(number)} `, `vb-l${String(number)}-`];
  const found = {
    process: having(processes, `slipway-lab/${name}/`, `--name ${name} `, `--machine=l${String(number)}-`),
    link: having(links, ...numbered),
    rule: having(rules, `slipway-lab ${name}"`, ...(number === undefined ? [] : [`:slab${String(number)}-`])),
    policy: having(policies, ...numbered),
    group: groups.split('\n').filter((line) => line !== ''),
    mount: await mounts(`/var/lib/slipway-lab/${name}/`),
    path: [`/var/lib/slipway-lab/${name}`, `/var/lib/slipway-lab/.${name}.lock`, directory].filter((path) => existsSync(path)),
  };
  return Object.entries(found).flatMap(([kind, lines]) => lines.map((line) => `${kind}: ${line.trim()}`));
}

/** In any mount namespace: a mount that only a forgotten process sees still holds the disk. */
async function mounts(path: string): Promise<string[]> {
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const tables = await Promise.all(processes.map((pid) => readFile(`/proc/${pid}/mounts`, 'utf8').catch(() => '')));
  return [...new Set(tables.flatMap((table) => table.split('\n').filter((line) => line.includes(path))))];
}
