import ipaddr from 'ipaddr.js';

/**
 * The proxy for a URL by the usual variables, upper or lower case: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, and NO_PROXY with host names and
 * their subdomains, addresses, CIDR ranges, `host:port` and `*`.
 */
export function proxyFor(url: URL, environment: NodeJS.ProcessEnv): URL | undefined {
  const value = (name: string): string => environment[name.toLowerCase()] || environment[name] || '';
  const proxy = value(url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY') || value('ALL_PROXY');
  if (
    !proxy ||
    value('NO_PROXY')
      .split(/[\s,]+/)
      .some((entry) => entry !== '' && covers(entry.toLowerCase(), url))
  )
    return undefined;
  return new URL(proxy.includes('://') ? proxy : `http://${proxy}`);
}

function covers(entry: string, url: URL): boolean {
  if (entry === '*') return true;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (entry.includes('/')) return isInRange(host, entry);
  const [, name = '', port] = /^(.*?)(?::(\d+))?$/.exec(entry)!;
  if (port && port !== (url.port || (url.protocol === 'https:' ? '443' : '80'))) return false;
  const domain = name.replace(/^\*?\./, '');
  return host === domain || host.endsWith(`.${domain}`);
}

function isInRange(host: string, range: string): boolean {
  if (!ipaddr.isValid(host) || !ipaddr.isValidCIDR(range)) return false;
  const address = ipaddr.parse(host);
  const [network, bits] = ipaddr.parseCIDR(range);
  return address.kind() === network.kind() && address.match(network, bits);
}
