import { startVersitygw } from '../support/stores/versitygw.ts';
import { awkwardNamesBut } from './awkward-keys.ts';
import { testStore } from './store-suite.ts';

// Keys are paths of files: no empty segments, and dot segments lead elsewhere. Listings spoil control characters.
await testStore({
  name: 'versitygw',
  start: startVersitygw,
  traits: {
    awkwardKeys: awkwardNamesBut({ empty: true, dots: true, escapes: true }),
    unlinkable: [],
    longestKey: 1024,
    stated: ['md5', 'crc64nvme'],
  },
});
