export type HostKeyPolicy =
  | 'strict' // an unknown key is refused (or confirmed by a person), a changed one is always refused
  | 'accept-new' // an unknown key is recorded, a changed one is refused
  | 'off';

/** How to reach one host over SSH. */
export interface Target {
  /** The name used in messages. */
  name: string;
  /** IP address or DNS name. */
  address: string;
  port: number;
  user: string;
  /** Paths of private keys to offer, in order; `~` already expanded. Empty: agent, then the usual ~/.ssh/id_* files. */
  identityFiles: readonly string[];
  /** Offer the keys of the agent at SSH_AUTH_SOCK. */
  agent: boolean;
  /** The socket of another agent than the one at SSH_AUTH_SOCK; `none`: no agent at all. */
  agentSocket?: string | undefined;
  /** OpenSSH certificates that ssh_config names. They cannot be used; a refused login mentions them. */
  certificates?: readonly string[] | undefined;
  become: 'sudo' | 'none';
  hostKeys: HostKeyPolicy;
  /** known_hosts files to read, in order; new keys go to the first. */
  knownHosts: readonly string[];
  /** Jump hosts from the operator outwards; empty for a direct connection. */
  jump: readonly Target[];
  connectTimeoutMs: number;
}

export interface HostKeyQuestion {
  host: string;
  address: string;
  /** For instance `ssh-ed25519`. */
  type: string;
  /** `SHA256:...` as OpenSSH prints it. */
  fingerprint: string;
}

/** The questions a connection may have. The remote room never asks itself: the command line passes these in; `undefined` means "nobody can answer". */
export interface Prompts {
  /** Asked at most once for each user@host or key file; the answer is kept in memory for the run. */
  secret(question: { kind: 'password' | 'passphrase' | 'sudo-password'; subject: string; host: string }): Promise<string | undefined>;
  hostKey(question: HostKeyQuestion): Promise<boolean>;
}
