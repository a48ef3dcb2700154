/** What is said of a job, in the language of the page. */
import { useI18n } from 'vue-i18n';
import type { Job } from '#api/jobs.ts';
import { writeBytes } from '../format.ts';
import { factsOf, kindOf } from './job-words.ts';

export interface JobWords {
  kind(job: Job): string;
  /** What came of it, in a sentence; empty while nothing did. */
  outcome(job: Job): string;
  progress(job: Job): string;
}

export function useJobWords(): JobWords {
  const { t, locale } = useI18n();
  const number = (count: number): string => count.toLocaleString(locale.value);
  const facts = (job: Job): string =>
    factsOf(job)
      .map(({ name, count }) => t(`jobs.facts.${name}`, { count: number(count) }, count))
      .join(', ');
  const begin = (text: string): string => text.slice(0, 1).toLocaleUpperCase(locale.value) + text.slice(1);
  return {
    kind(job) {
      const kind = kindOf(job);
      return kind === undefined ? job.kind : t(`jobs.kinds.${kind}`);
    },
    outcome(job) {
      if (job.state === 'cancelled') return t('jobs.outcomes.cancelled');
      if (job.state !== 'done') return '';
      const { version, bytes } = job.result ?? {};
      if (kindOf(job) === 'freeze' && typeof version === 'number' && typeof bytes === 'number')
        return t('jobs.outcomes.freeze', { version, facts: facts(job), size: writeBytes(bytes, locale.value) });
      const text = facts(job);
      return text === '' ? t('jobs.outcomes.nothing') : t('jobs.outcomes.facts', { facts: begin(text) });
    },
    progress({ progress: { done, total, note } }) {
      const counted =
        total === undefined ? t('jobs.done', { done: number(done) }) : t('jobs.of', { done: number(done), total: number(total) });
      return note === undefined ? counted : `${counted} · ${note}`;
    },
  };
}
