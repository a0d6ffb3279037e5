import { requireRoot } from './prerequisites.ts';
import { requireHost, requireRecord } from './record.ts';
import { onHost, session } from './ssh.ts';

export interface LabExecOptions {
  /** Default `lab`. */
  name?: string;
  /** A shell command; root runs it on every host at the same time. */
  command: string;
  /** Each line of output as it comes, with the host's name before it. */
  onLine?: (line: string) => void;
}

export interface LabExecResult {
  /** The highest of all; 255 where SSH itself failed. */
  exitCode: number;
  hosts: { name: string; exitCode: number; stdout: string; stderr: string }[];
}

/** Runs a command on every host of a lab. Errors: LAB_UNKNOWN. A command that fails is a result. */
export async function labExec(options: LabExecOptions): Promise<LabExecResult> {
  const { name = 'lab', command, onLine } = options;
  requireRoot();
  const lab = await requireRecord(name);
  const width = Math.max(...lab.hosts.map((host) => host.name.length));
  const hosts = await Promise.all(
    lab.hosts.map(async (host) => {
      const prefix = `${host.name.padEnd(width)} | `;
      const prefixed =
        onLine &&
        ((line: string) => {
          onLine(prefix + line);
        });
      const result = await onHost(lab, host, { command, onLine: prefixed });
      return { name: host.name, ...result };
    }),
  );
  return { exitCode: Math.max(...hosts.map((host) => host.exitCode)), hosts };
}

export interface LabSshOptions {
  name?: string;
  /** Default: the lab's first host. */
  host?: string;
  /** Instead of a login shell. */
  command?: string;
}

/** A session on this terminal as the lab's user; returns its exit code. Errors: LAB_UNKNOWN, LAB_HOST_UNKNOWN. */
export async function labSsh(options: LabSshOptions = {}): Promise<number> {
  requireRoot();
  const lab = await requireRecord(options.name ?? 'lab');
  const host = requireHost(lab, options.host ?? lab.hosts[0]!.name);
  return session(lab, host, options.command);
}
