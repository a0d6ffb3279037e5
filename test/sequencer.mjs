// Tests on hosts run in the order of the list, all others in that of their paths: the same in every run and on every machine.
import { basename } from 'node:path';
import TestSequencer from '@jest/test-sequencer';
import { labSuites } from './suites.mjs';

const key = ({ path }) => {
  const place = path.includes('/test/lab/') ? labSuites.indexOf(basename(path, '.test.ts')) : -1;
  return `${String(place === -1 ? labSuites.length : place).padStart(3, '0')} ${path}`;
};

export default class ListSequencer extends TestSequencer {
  sort(tests) {
    return [...tests].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  }
}
