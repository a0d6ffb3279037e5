import { z } from 'zod';
import { isIPv4, isIPv6, networkOf, parseNetwork, rangeOf } from './addresses.ts';
import { didYouMean } from './suggest.ts';
import * as syntax from './syntax.ts';

/** What a field's check found wrong. */
export interface Fault {
  /** A clause that follows the value, such as "has capital letters". */
  complaint: string;
  suggestion?: string | undefined;
  /** What to call the value in messages, when the value itself must not be shown. */
  instead?: string | undefined;
}

const IPV6: Fault = { complaint: 'is an IPv6 address, and Slipway builds IPv4 clusters only' };

/** A string field with its own check; `extra` goes into the JSON Schema, which cannot express the check itself. */
function text(check: (value: string) => Fault | undefined, extra: { pattern?: string; examples?: string[] } = {}) {
  return z
    .string()
    .check((context) => {
      const fault = check(context.value);
      if (fault !== undefined)
        context.issues.push({ code: 'custom', message: fault.complaint, params: { ...fault }, input: context.value });
    })
    .meta(extra);
}

function complain(complaint: syntax.Complaint, suggestion?: string): Fault | undefined {
  return complaint === undefined ? undefined : { complaint, suggestion };
}

/** The nearest valid name, if that is one. */
function nearestName(value: string, check: (text: string) => syntax.Complaint): string | undefined {
  const name = value
    .toLowerCase()
    .replaceAll(/[_ ]/g, '-')
    .replaceAll(/^[-.]+|[-.]+$/g, '');
  return check(name) === undefined ? name : undefined;
}

export const clusterName = text((v) => complain(syntax.labelComplaint(v), nearestName(v, syntax.labelComplaint)), {
  pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$',
});

export const nodeName = text((v) => complain(syntax.nodeNameComplaint(v), nearestName(v, syntax.nodeNameComplaint)), {
  pattern: '^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$',
});

export const version = text(
  (v) => {
    if (/^v?1\.\d+\.\d+(-(alpha|beta|rc)\.\d+)?$/.test(v)) return undefined;
    return { complaint: 'is not a full Kubernetes version', suggestion: 'three numbers, such as 1.36.3' };
  },
  { pattern: '^v?1\\.[0-9]+\\.[0-9]+(-(alpha|beta|rc)\\.[0-9]+)?$', examples: ['1.36.3'] },
).overwrite((v) => v.replace(/^v/, ''));

export const userName = text((v) => {
  if (v === '') return { complaint: 'is empty' };
  // A leading dash would become an option of ssh.
  return /^[^\s:@/\\'"`$;|&<>(){}-][^\s:/'"`$;|&<>(){}]*$/.test(v) ? undefined : { complaint: 'is not a user name' };
});

export const path = text((v) => {
  if (v === '') return { complaint: 'is empty' };
  if (v.includes('\0')) return { complaint: 'has a NUL byte' };
  return /^~[^/]/.test(v) ? { complaint: "is in another user's home directory", suggestion: 'the full path' } : undefined;
});

export const port = z.int().min(1).max(65_535);

export const jump = text(
  (v) => {
    if (syntax.parseJump(v) !== undefined) return undefined;
    if (isIPv6(v.replaceAll(/[[\]]/g, '')) || /\[.*:.*\]/.test(v)) return IPV6;
    return { complaint: 'is not a jump host', suggestion: v.includes(',') ? 'a list: [first, second]' : '[user@]host[:port]' };
  },
  { examples: ['admin@bastion.example.com:22'] },
);

export const sshAddress = text((v) => hostFault(v, true), { examples: ['10.0.0.11', 'node-1.example.com'] });
export const hostOrAddress = text((v) => hostFault(v, false), { examples: ['api.example.com', '10.0.0.10'] });

function hostFault(value: string, isSshAddress: boolean): Fault | undefined {
  if (value === '') return { complaint: 'is empty' };
  if (isIPv6(value.replaceAll(/[[\]]/g, ''))) return IPV6;
  if (isIPv4(value)) return addressFault(value, isSshAddress);
  const [, user, host, portText] = /^(?:([^@\s/]+)@)?([^@:\s/]+)(?::(\d+))?$/.exec(value) ?? [];
  if (host !== undefined && (user !== undefined || portText !== undefined)) {
    const fields = [...(user === undefined ? [] : [`user: ${user}`]), ...(portText === undefined ? [] : [`port: ${portText}`])].join(', ');
    const complaint = `has ${user === undefined ? 'a port' : portText === undefined ? 'a user name' : 'a user name and a port'} in it`;
    return {
      complaint,
      suggestion: isSshAddress ? `${host}, and ssh: { ${fields} }` : `host: ${host}${portText === undefined ? '' : `, port: ${portText}`}`,
    };
  }
  if (/^\w+:\/\//.test(value)) return { complaint: 'is a URL', suggestion: 'only the name or address' };
  if (value.includes('/'))
    return { complaint: 'has a slash', suggestion: isIPv4(value.split('/')[0]!) ? value.split('/')[0] : 'a single address' };
  if (/^[\d.]+$/.test(value)) return { complaint: 'is not an IPv4 address' };
  return syntax.isHostName(value) ? undefined : { complaint: 'is neither an IPv4 address nor a DNS name' };
}

export const privateAddress = text(
  (v) => {
    if (isIPv6(v)) return IPV6;
    if (!isIPv4(v)) return { complaint: 'is not an IPv4 address' };
    return addressFault(v, false);
  },
  { pattern: '^[0-9]{1,3}(\\.[0-9]{1,3}){3}$' },
);

/** Addresses that no host can have for others to reach. */
function addressFault(value: string, loopbackAllowed: boolean): Fault | undefined {
  switch (rangeOf(value)) {
    case 'loopback':
      return loopbackAllowed ? undefined : { complaint: 'is a loopback address, which other hosts cannot reach' };
    case 'unspecified':
      return { complaint: 'stands for any address, not for a host' };
    case 'multicast':
      return { complaint: 'is a multicast address' };
    case 'broadcast':
      return { complaint: 'is the broadcast address' };
    default:
      return undefined;
  }
}

export const interfaceName = text((v) => {
  // dev_valid_name in the kernel: at most 15 bytes, no slash, colon or space.
  if (v === '' || v.length > 15 || /[\s/:]/.test(v) || v === '.' || v === '..')
    return { complaint: 'is not the name of a network interface', suggestion: 'a name as ip link shows it' };
  return undefined;
});

export const cidr = text(
  (v) => {
    if (isIPv6(v.split('/')[0]!)) return { complaint: 'is an IPv6 network, and Slipway builds IPv4 clusters only' };
    if (isIPv4(v)) return { complaint: 'has no prefix length', suggestion: `such as ${v}/24` };
    if (v.includes(',')) return { complaint: 'is more than one network; dual-stack clusters are not supported' };
    if (parseNetwork(v) === undefined) return { complaint: 'is not an IPv4 network', suggestion: 'address/prefix, such as 10.244.0.0/16' };
    const network = networkOf(v);
    if (network !== v) return { complaint: 'has address bits behind its prefix', suggestion: network };
    const range = rangeOf(v.split('/')[0]!);
    if (range === 'loopback' || range === 'multicast' || range === 'linkLocal' || range === 'unspecified' || range === 'broadcast') {
      return { complaint: `lies in a range that is reserved (${range === 'linkLocal' ? 'link-local' : range})` };
    }
    return undefined;
  },
  { pattern: '^[0-9]{1,3}(\\.[0-9]{1,3}){3}/[0-9]{1,2}$' },
);

export const domain = text((v) => complain(syntax.domainComplaint(v), nearestName(v, syntax.domainComplaint)), {
  pattern: '^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$',
});

export const percentage = text(
  (v) => (/^([1-9]\d?|100)%$/.test(v) ? undefined : { complaint: 'is not a percentage', suggestion: 'such as 10%' }),
  { pattern: '^([1-9][0-9]?|100)%$', examples: ['10%'] },
);

export const labelKey = text((v) => complain(syntax.labelKeyComplaint(v)));
export const labelValue = text((v) => complain(syntax.labelValueComplaint(v)));

export const taintText = text(
  (v) => {
    const taint = syntax.parseTaint(v);
    const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
    if (taint === undefined) return { complaint: 'is not a taint', suggestion: 'key=value:NoSchedule' };
    const complaint = syntax.labelKeyComplaint(taint.key) ?? syntax.labelValueComplaint(taint.value);
    if (complaint !== undefined) return { complaint: `is not a taint: a part of it ${complaint}` };
    if (effects.includes(taint.effect)) return undefined;
    return {
      complaint: `has an unknown effect, ${JSON.stringify(taint.effect)}`,
      suggestion: didYouMean(taint.effect, effects) ?? `one of ${effects.join(', ')}`,
    };
  },
  { examples: ['dedicated=db:NoSchedule'] },
);

export const registry = text((v) => {
  if (/^\w+:\/\//.test(v)) return { complaint: 'is a URL', suggestion: v.replace(/^\w+:\/\//, '').replace(/\/.*$/, '') };
  return /^[\w.-]+(:\d{1,5})?$/.test(v)
    ? undefined
    : { complaint: 'is not the name of a registry', suggestion: 'such as docker.io or registry.example.com:5000' };
});

export const url = text(
  (v) => {
    let parsed: URL;
    try {
      parsed = new URL(v);
    } catch {
      return { complaint: 'is not a URL', suggestion: 'such as https://mirror.example.com' };
    }
    if (!['http:', 'https:'].includes(parsed.protocol)) return { complaint: 'is not an http or https URL' };
    if (parsed.username !== '' || parsed.password !== '')
      return { complaint: 'has a user name or password in it, which everybody who sees this file could read', instead: 'the URL' };
    return undefined;
  },
  { pattern: '^https?://' },
);

export const certificateName = text((v) => {
  if (isIPv4(v) || isIPv6(v)) return undefined;
  return syntax.isHostName(v.replace(/^\*\./, '')) ? undefined : { complaint: 'is neither a DNS name nor an IP address' };
});

export const flagName = text((v) => {
  if (/^-+/.test(v)) return { complaint: 'begins with a dash', suggestion: v.replace(/^-+/, '').replace(/=.*$/, '') };
  if (v.includes('=')) return { complaint: 'has a value in it', suggestion: `${v.replace('=', ': ')}` };
  return /^[A-Za-z0-9][\w.-]*$/.test(v) ? undefined : { complaint: 'is not the name of a flag' };
});

export const flagValue = z
  .union([
    // A line break would become another line of the unit file.
    text((v) => (/[\n\r\0]/.test(v) ? { complaint: 'has a line break, which a flag cannot carry' } : undefined)),
    z.number(),
    z.boolean(),
  ])
  .describe('Value of the flag.');
