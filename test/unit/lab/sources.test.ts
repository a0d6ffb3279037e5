import { describe, expect, test } from '@jest/globals';
import { parseAptOptions, parseTargets, rewriteSources } from '../../../src/lab/sources.ts';

const targets = `http://mirror.example/debian/|bookworm|main|Debian
http://mirror.example/debian/|bookworm|main|Debian
http://mirror.example/debian/|bookworm|contrib|Debian
http://mirror.example/debian/|bookworm-updates|main|Debian
http://mirror.example/debian-security/|bookworm-security|main|Debian
https://packages.example/apt/|bookworm|main|Example Tools
`;

describe('the Debian archives of this machine', () => {
  test('are told by the origin in their Release file, with the components of an archive together', () => {
    expect(parseTargets(targets)).toEqual([
      { uri: 'http://mirror.example/debian/', suite: 'bookworm', components: ['main', 'contrib'] },
      { uri: 'http://mirror.example/debian/', suite: 'bookworm-updates', components: ['main'] },
      { uri: 'http://mirror.example/debian-security/', suite: 'bookworm-security', components: ['main'] },
    ]);
  });

  test('are told by their path while no list was ever fetched', () => {
    const unfetched = 'http://mirror.example/debian/|bookworm|main|$(ORIGIN)\nhttps://packages.example/apt/|bookworm|main|\n';
    expect(parseTargets(unfetched).map((s) => s.uri)).toEqual(['http://mirror.example/debian/']);
  });
});

describe('the sources of a host', () => {
  test('name the same mirror for another release, with its updates and security', () => {
    expect(rewriteSources(parseTargets(targets), 'trixie')).toEqual([
      'deb http://mirror.example/debian trixie main contrib',
      'deb http://mirror.example/debian trixie-updates main',
      'deb http://mirror.example/debian-security trixie-security main',
    ]);
  });

  test('have neither updates nor security for unstable', () => {
    expect(rewriteSources(parseTargets(targets), 'sid')).toEqual(['deb http://mirror.example/debian sid main contrib']);
  });

  test('leave out backports', () => {
    const backports = [{ uri: 'http://mirror.example/debian/', suite: 'bookworm-backports', components: ['main'] }];
    expect(rewriteSources(backports, 'bookworm')).toEqual([]);
  });
});

test('a host inherits the proxy of this machine and whether dates are believed, and nothing else', () => {
  const dump = `APT "";
Acquire::http::Proxy "http://proxy.example:3128";
Acquire::http::Proxy::direct.example "DIRECT";
Acquire::https::CAInfo "/etc/ssl/private-ca.pem";
Acquire::Check-Valid-Until "false";
Acquire::Languages "";
DPkg::Post-Invoke:: "rm -f /var/cache/apt/*.bin";
`;
  expect(parseAptOptions(dump)).toEqual([
    'Acquire::http::Proxy "http://proxy.example:3128"',
    'Acquire::http::Proxy::direct.example "DIRECT"',
    'Acquire::Check-Valid-Until "false"',
  ]);
});
