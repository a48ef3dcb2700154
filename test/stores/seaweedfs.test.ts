import { startSeaweedfs } from '../support/stores/seaweedfs.ts';
import { awkwardNamesBut } from './awkward-keys.ts';
import { testStore } from './store-suite.ts';

// Empty segments are folded, dot segments refused, and a backslash is a slash to it.
await testStore({
  name: 'seaweedfs',
  start: startSeaweedfs,
  traits: {
    awkwardKeys: awkwardNamesBut({ empty: true, dots: true, backslash: true }),
    unlinkable: [],
    longestKey: 1024,
    stated: ['md5'],
  },
});
