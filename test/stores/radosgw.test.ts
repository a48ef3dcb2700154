import { startRadosgw } from '../support/stores/radosgw.ts';
import { testStore } from './store-suite.ts';

await testStore({
  name: 'radosgw',
  start: startRadosgw,
  traits: {
    awkwardKeys: [
      'a b+c#d%e=f[1]@é日😀.txt',
      'a%20b',
      'a?b&c',
      'a"b<c>',
      "a'(b)*!",
      '...',
      '..x',
      '-rf',
      '\n\t\u001b[2J',
      '\u2028',
      'e\u0301',
      'a\\b',
      'x//y',
      '/lead',
      'x/',
      './..',
      'a/../b',
    ],
    unlinkable: ['./..', 'a/../b'],
    longestKey: 1024,
    stated: ['md5'],
  },
});
