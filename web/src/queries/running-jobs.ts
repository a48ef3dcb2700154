/** One’s jobs that run, for the indicator: looked at often while there are some, seldom while there are none. */
import { type Ref, ref } from 'vue';
import type { Job } from '#api/jobs.ts';
import { listJobs } from './jobs.ts';

/** Milliseconds. */
const often = 3000;
const seldom = 30_000;

export const running: Ref<readonly Job[]> = ref([]);

let timer: ReturnType<typeof setTimeout> | undefined;
let watchers = 0;

/** Until what is returned is called. */
export function watchRunning(): () => void {
  watchers += 1;
  if (watchers === 1) {
    document.addEventListener('visibilitychange', lookNow);
    void look();
  }
  return () => {
    watchers -= 1;
    if (watchers > 0) return;
    document.removeEventListener('visibilitychange', lookNow);
    clearTimeout(timer);
  };
}

/** After something was started. */
export function lookNow(): void {
  if (watchers > 0 && document.visibilityState === 'visible') void look();
}

async function look(): Promise<void> {
  clearTimeout(timer);
  try {
    const pages = await Promise.all((['running', 'queued'] as const).map((state) => listJobs({ state, limit: 50 })));
    running.value = pages.flatMap(({ jobs }) => jobs);
  } catch {
    // It is an indicator: what fails is told where somebody asked for something.
    running.value = [];
  }
  clearTimeout(timer);
  if (watchers === 0 || document.visibilityState === 'hidden') return;
  timer = setTimeout(look, running.value.length > 0 ? often : seldom);
}
