import { osModule, type Tool } from '../../facts/os/index.ts';
import { finding, list, perHost, type PreflightCheck } from './preflight.ts';

/** Each line: any of these commands will do, and what to install when none is there. */
const needed: readonly { anyOf: readonly string[]; tool?: Tool; package?: string }[] = [
  { anyOf: ['ip'], tool: 'iproute' },
  { anyOf: ['iptables'], tool: 'iptables' },
  { anyOf: ['tar'], package: 'tar' },
  { anyOf: ['gzip', 'zstd'], package: 'gzip' },
  { anyOf: ['flock'], package: 'util-linux' },
  { anyOf: ['mount'], package: 'mount' },
  { anyOf: ['base64'], package: 'coreutils' },
  { anyOf: ['head'], package: 'coreutils' },
  { anyOf: ['sha256sum'], package: 'coreutils' },
  { anyOf: ['find'], package: 'findutils' },
  { anyOf: ['useradd'], package: 'passwd' },
];

export const commands: PreflightCheck = {
  id: 'commands',
  title: 'The commands that we use are there',
  run: (context) =>
    perHost(context, ({ name }, facts) => {
      const missing = needed.filter(
        ({ anyOf }) => !anyOf.some((command) => facts.commands.includes(command) || context.installs.has(command)),
      );
      if (missing.length === 0) return [];
      const system = osModule(facts);
      const packages = [
        ...new Set(
          missing.map((one) =>
            'tool' in one && one.tool !== undefined ? (system?.packageNames[one.tool] ?? one.tool) : packageOf(one, system?.family),
          ),
        ),
      ];
      const installer = { apt: 'apt-get install', dnf: 'dnf install', zypper: 'zypper install' }[system?.packageManager ?? 'apt'];
      return [
        finding('error', name, {
          what: `${list(missing.map(({ anyOf }) => anyOf.join(' or ')))} ${missing.length === 1 ? 'is' : 'are'} missing`,
          hint: system === undefined ? `Install ${list(packages)}.` : `Run ${installer} ${packages.join(' ')}.`,
        }),
      ];
    }),
};

function packageOf(one: { package?: string }, family: string | undefined): string {
  const name = one.package ?? '';
  if (family === 'debian' || family === undefined) return name;
  return ({ mount: 'util-linux', passwd: family === 'suse' ? 'shadow' : 'shadow-utils' } as Readonly<Record<string, string>>)[name] ?? name;
}
