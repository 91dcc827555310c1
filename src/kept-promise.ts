/** Made for the first who asks, and kept for all. What could not be made is tried again (S103). */
export function keptPromise<T>(make: () => Promise<T>): () => Promise<T> {
  let kept: Promise<T> | null = null
  const forget = (error: unknown) => {
    kept = null
    throw error
  }
  return () => (kept ??= make().catch(forget))
}
