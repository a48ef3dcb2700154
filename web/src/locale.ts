/** Languages: English is in the first load, each other one is a file that is fetched when it is wanted. */
import { createI18n } from 'vue-i18n';
import english from './locales/en.json';

export type Messages = typeof english;

export const i18n = createI18n<[Messages], string, false>({ legacy: false, locale: 'en', fallbackLocale: 'en', messages: { en: english } });

/** In the order in which they are offered. */
const languages: Readonly<Record<string, string>> = { en: 'English' };

const kept = 'package-r.language';

/** What was chosen here, else what the browser asks for, as far as there is a translation. */
export async function startLocale(): Promise<void> {
  const wanted = [localStorage.getItem(kept) ?? '', ...navigator.languages];
  const found = wanted.map((tag) => tag.split('-')[0] ?? '').find((tag) => tag in languages) ?? 'en';
  i18n.global.locale.value = found;
  document.documentElement.lang = found;
}
