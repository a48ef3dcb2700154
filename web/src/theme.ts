/** Light, dark, or as the system has it; kept on this device. The style sheet does the rest by `data-theme`. */
import { ref, watchEffect } from 'vue';

export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

const kept = 'package-r.theme';

export const theme = ref<Theme>(themes.find((one) => one === localStorage.getItem(kept)) ?? 'system');

export function startTheme(): void {
  watchEffect(() => {
    localStorage.setItem(kept, theme.value);
    if (theme.value === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme.value;
  });
}
