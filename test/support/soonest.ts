/**
 * Milliseconds that it takes when nothing else holds it up: a busy machine delays now and then, what is slow
 * by itself is slow every time.
 * @param enough after which it is not tried again
 */
export async function soonestOf(
  tries: number,
  enough: number,
  act: () => Promise<unknown>,
): Promise<number> {
  let soonest = Infinity
  for (let count = 0; count < tries && soonest >= enough; count += 1) {
    const begun = performance.now()
    await act()
    soonest = Math.min(soonest, performance.now() - begun)
  }
  return soonest
}
