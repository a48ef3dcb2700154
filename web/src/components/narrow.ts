/** Whether the page is as narrow as a phone; follows the window. */
import { type Ref, ref } from 'vue';

const query = matchMedia('(width < 800px)');

export const isNarrow: Ref<boolean> = ref(query.matches);

query.addEventListener('change', ({ matches }) => {
  isNarrow.value = matches;
});
