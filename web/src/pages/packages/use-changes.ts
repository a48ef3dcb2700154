/** What differs between two versions, read as long as somebody looks. */
import { onScopeDispose, type ShallowRef, shallowRef, watch } from 'vue';
import type { Between, ChangeList } from '../../queries/changes.ts';
import { compareVersions, type PackageName } from '../../queries/packages.ts';

export function useChanges(name: () => PackageName, between: () => Between | undefined): Readonly<ShallowRef<ChangeList | undefined>> {
  const list = shallowRef<ChangeList>();
  watch(
    () => [name().namespace, name().package, between()?.from, between()?.to] as const,
    () => {
      list.value?.close();
      const asked = between();
      list.value = asked === undefined ? undefined : compareVersions(name(), asked);
      void list.value?.load();
    },
    { immediate: true },
  );
  onScopeDispose(() => list.value?.close());
  return list;
}
