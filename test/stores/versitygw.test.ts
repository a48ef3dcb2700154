import { startVersitygw } from '../support/stores/versitygw.ts';
import { testStore } from './store-suite.ts';

// Keys are paths of files: no empty segments, and dot segments lead elsewhere. Listings spoil control characters.
await testStore({
  name: 'versitygw',
  start: startVersitygw,
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
      '\n\t',
      '\u2028',
      'e\u0301',
      'a\\b',
    ],
    unlinkable: [],
    longestKey: 1024,
    stated: ['md5', 'crc64nvme'],
  },
});
