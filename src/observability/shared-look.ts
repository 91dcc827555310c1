/** Looks once for all who ask while it looks: however many ask at a time, it costs no more than one. */
export function sharedLook<T>(look: () => Promise<T>): () => Promise<T> {
  let looking: Promise<T> | null = null
  return () => (looking ??= look().finally(() => (looking = null)))
}
