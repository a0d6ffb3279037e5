/** What is wrong with a text, as a clause that follows the text itself ("... has capital letters"); undefined when nothing is. */
export type Complaint = string | undefined;

/** RFC 1123 label: what a cluster's name must be, as it becomes part of file and kubeconfig names. */
export function labelComplaint(text: string): Complaint {
  if (text === '') return 'is empty';
  if (text.length > 63) return `has ${text.length} characters; at most 63 are allowed`;
  if (/[A-Z]/.test(text)) return 'has capital letters';
  if (text.includes('_')) return 'has an underscore';
  if (/^-|-$/.test(text)) return 'begins or ends with a dash';
  if (!/^[a-z0-9-]+$/.test(text)) return 'may have only a-z, 0-9 and dashes';
  return undefined;
}

/** RFC 1123 subdomain in lower case: labels with dots between them, at most 253 characters. */
export function domainComplaint(text: string): Complaint {
  if (text === '') return 'is empty';
  if (text.length > 253) return `has ${text.length} characters; at most 253 are allowed`;
  if (text.endsWith('.')) return 'ends with a dot';
  for (const label of text.split('.')) {
    const complaint = labelComplaint(label);
    if (complaint === 'is empty') return 'has two dots in a row or begins with a dot';
    if (complaint !== undefined) return complaint;
  }
  return undefined;
}

/** A node's name: a lower-case subdomain of at most 63 characters, as it is also the value of the label kubernetes.io/hostname. */
export function nodeNameComplaint(text: string): Complaint {
  if (text.length > 63) return `has ${text.length} characters; at most 63 are allowed, because it becomes a label's value`;
  if (/^\d+(\.\d+){3}$/.test(text)) return 'looks like an address';
  return domainComplaint(text);
}

/** Key of a Kubernetes label or taint: `[prefix/]name` (apimachinery, IsQualifiedName). */
export function labelKeyComplaint(text: string): Complaint {
  const parts = text.split('/');
  if (parts.length > 2) return 'has more than one slash';
  const name = parts.at(-1)!;
  if (parts.length === 2) {
    const complaint = domainComplaint(parts[0]!);
    if (complaint !== undefined) return `has a prefix that ${complaint}`;
  }
  if (name === '') return parts.length === 2 ? 'has no name behind the slash' : 'is empty';
  if (name.length > 63) return `has a name of ${name.length} characters; at most 63 are allowed`;
  if (!/^[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?$/.test(name))
    return 'must begin and end with a letter or digit, with only letters, digits, dashes, underscores and dots between';
  return undefined;
}

/** Value of a Kubernetes label or taint; empty is allowed (apimachinery, IsValidLabelValue). */
export function labelValueComplaint(text: string): Complaint {
  if (text === '') return undefined;
  if (text.length > 63) return `has ${text.length} characters; at most 63 are allowed`;
  if (!/^[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?$/.test(text))
    return 'must begin and end with a letter or digit, with only letters, digits, dashes, underscores and dots between';
  return undefined;
}

/** Name that a resolver takes: like a subdomain, but capital letters and underscores occur in the wild. */
export function isHostName(text: string): boolean {
  return (
    text.length <= 253 && /^[A-Za-z0-9_]([\w-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([\w-]*[A-Za-z0-9_])?)*$/.test(text) && !/^[\d.]+$/.test(text)
  );
}

export interface JumpHost {
  user?: string | undefined;
  host: string;
  port?: number | undefined;
}

/** Reads `[user@]host[:port]`; undefined when it is not that. */
export function parseJump(text: string): JumpHost | undefined {
  const match = /^(?:([^@\s:/]+)@)?([^@\s:/]+)(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const [, user, host, portText] = match;
  const port = portText === undefined ? undefined : Number(portText);
  if (host === undefined || !(isHostName(host) || /^\d+(\.\d+){3}$/.test(host)) || (port !== undefined && (port < 1 || port > 65_535)))
    return undefined;
  return { user, host, port };
}

/** Reads kubectl's spelling of a taint, `key[=value]:Effect`; undefined when it is not that. The effect is not checked. */
export function parseTaint(text: string): { key: string; value: string; effect: string } | undefined {
  const match = /^([^=:\s]+)(?:=([^=:\s]*))?:([^=:\s]+)$/.exec(text);
  return match === null ? undefined : { key: match[1]!, value: match[2] ?? '', effect: match[3]! };
}
