import { startRadosgw } from '../support/stores/radosgw.ts';
import { awkwardNamesBut } from './awkward-keys.ts';
import { testStore } from './store-suite.ts';

await testStore({
  name: 'radosgw',
  start: startRadosgw,
  traits: {
    awkwardKeys: awkwardNamesBut({}),
    unlinkable: ['./..', 'a/../b'],
    longestKey: 1024,
    stated: ['md5'],
  },
});
