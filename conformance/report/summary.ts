import type { Outcome } from '../outcome.js'
import type { Report, Result } from '../runner.js'

export const OUTCOMES: readonly Outcome[] = ['pass', 'fail', 'warning', 'skipped', 'not applicable']

export type Counts = Readonly<Record<Outcome, number>>

export function count(results: readonly Result[]): Counts {
  const counts = { pass: 0, fail: 0, warning: 0, skipped: 0, 'not applicable': 0 }
  for (const { outcome } of results) counts[outcome] += 1
  return counts
}

/** The results by chapter, in their order. */
export function byChapter({ results }: Report): [string, Result[]][] {
  const chapters = new Map<string, Result[]>()
  for (const result of results) {
    chapters.set(result.chapter, [...(chapters.get(result.chapter) ?? []), result])
  }
  return [...chapters]
}

export function inWords(counts: Counts): string {
  const parts = [
    `${counts.pass} passed`,
    `${counts.fail} failed`,
    `${counts.warning} warnings`,
    `${counts.skipped} skipped`,
    `${counts['not applicable']} not applicable`,
  ]
  return parts.join(', ')
}

/** Why requirements were skipped, with their number. */
export function skippedBecause(results: readonly Result[]): Map<string, number> {
  const numbers = new Map<string, number>()
  for (const { outcome, message } of results) {
    if (outcome !== 'skipped' || message === null) continue
    numbers.set(message, (numbers.get(message) ?? 0) + 1)
  }
  return numbers
}
