import { startSeaweedfs } from '../support/stores/seaweedfs.ts';
import { testStore } from './store-suite.ts';

// Empty segments are folded, dot segments refused, and a backslash is a slash to it.
await testStore({
  name: 'seaweedfs',
  start: startSeaweedfs,
  // It keeps the versions of `a` in a folder `a.versions`, and lists them there: after `a-1`.
  misorders: (keys) => keys.some((one) => keys.some((other) => other.startsWith(one) && other.charAt(one.length) < '.' && other !== one)),
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
    ],
    unlinkable: [],
    longestKey: 1024,
    stated: ['md5'],
  },
});
