/** Short words on what was done, at the edge of the screen; some with a way back. */
import { ref } from 'vue';

export interface Toast {
  readonly id: number;
  readonly text: string;
  readonly look: 'done' | 'fault';
  readonly undo?: { readonly label: string; run(): void } | undefined;
}

/** Milliseconds; what went wrong stays until it is taken away. */
const life = 6000;

export const toasts = ref<readonly Toast[]>([]);
let last = 0;

export function tell(text: string, { look = 'done', undo }: Partial<Pick<Toast, 'look' | 'undo'>> = {}): void {
  const id = ++last;
  toasts.value = [...toasts.value.slice(-3), { id, text, look, undo }];
  if (look === 'done') setTimeout(() => dismiss(id), life);
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}
